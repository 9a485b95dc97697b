{{/* A program that keeps nothing: root, program, values, replicas; single where two at once would harm. */}}
{{- define "headwater.deployment" -}}
{{- if eq (include "headwater.enabled" .) "true" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "headwater.name" . }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .replicas | default 1 }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy: {{ if .single }}{ type: Recreate }{{ else }}{ type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }{{ end }}
  selector:
    matchLabels:
      {{- include "headwater.selector" . | nindent 6 }}
  template:
    {{- include "headwater.pod" (merge (dict "kind" "deployment") .) | nindent 4 }}
{{- end }}
{{- end }}

{{/* A program that keeps something. */}}
{{- define "headwater.statefulset" -}}
{{- if eq (include "headwater.enabled" .) "true" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "headwater.name" . }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
spec:
  # One process owns the data; more need a database or a store that is made for it, see postgres.external and s3.url.
  replicas: 1
  serviceName: {{ include "headwater.name" . }}
  selector:
    matchLabels:
      {{- include "headwater.selector" . | nindent 6 }}
  template:
    {{- include "headwater.pod" (merge (dict "kind" "statefulset") .) | nindent 4 }}
  persistentVolumeClaimRetentionPolicy: { whenDeleted: Retain, whenScaled: Retain }
  volumeClaimTemplates:
    - metadata:
        name: home
        labels:
          {{- include "headwater.selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources: { requests: { storage: {{ .values.storage.size }} } }
{{- end }}
{{- end }}

{{- define "headwater.service" -}}
{{- if eq (include "headwater.enabled" .) "true" -}}
{{- $core := include "headwater.core" .root | fromJson -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "headwater.name" . }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
spec:
  {{- if .early }}
  # Its workers join by this name, and without them it is not ready.
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "headwater.selector" . | nindent 4 }}
  ports:
    {{- range (get $core.programs .program).listens }}
    - { name: {{ . }}, port: {{ get $core.ports . }}, targetPort: {{ . }} }
    {{- end }}
{{- end }}
{{- end }}

{{/*
A component's bootstrap. At the first install it is a job beside the rest, for which the pods wait, so that `helm install
--wait` can see them ready; on upgrade it is a hook, which ends well before any pod is changed.
*/}}
{{- define "headwater.migration" -}}
{{- if eq (include "headwater.enabled" (dict "root" .root "program" .component)) "true" -}}
{{- $core := include "headwater.core" .root | fromJson -}}
{{- $migration := get $core.migrations .component -}}
{{- $program := printf "%s:migrate" .component -}}
{{- $pod := dict "root" .root "program" $program "kind" "job" "early" true "values" (dict "resources" .resources) "logins" $migration.logins "calls" $migration.calls "command" (list "headwater" "migrate" "--wait" .component) -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .root.Release.Name }}-migrate-{{ .component }}-{{ .root.Release.Revision }}
  labels:
    {{- include "headwater.labels" (dict "root" .root "program" $program) | nindent 4 }}
  {{- if .root.Release.IsUpgrade }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-weight: {{ $migration.rank | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  backoffLimit: 6
  ttlSecondsAfterFinished: 86400
  template:
    {{- include "headwater.pod" $pod | nindent 4 }}
{{- end }}
{{- end }}

{{/* Whoever keeps more than one pod keeps one of them while machines are emptied. */}}
{{- define "headwater.disruptionBudget" -}}
{{- if and (eq (include "headwater.enabled" .) "true") (gt (int .replicas) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "headwater.name" . }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "headwater.selector" . | nindent 6 }}
{{- end }}
{{- end }}
