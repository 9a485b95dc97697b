{{/*
The pod of one program: what every pod has in common stands here alone.

root      the chart's scope
program   component[:role]
values    resources and the like
command   when it is not `headwater run PROGRAM`
probe     when it is not `headwater probe --here PROGRAM`
logins, calls, imageOf, name, annotations
          where it is no program of Headwater's own list
kind      deployment, statefulset, job or template; the last are filled in by who starts them
*/}}
{{- define "headwater.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $core := include "headwater.core" .root | fromJson -}}
{{- $component := .program | splitList ":" | first -}}
{{- $program := get $core.programs .program | default dict -}}
{{- $logins := .logins | default $program.logins | default list -}}
{{- $calls := .calls | default $program.calls | default list -}}
{{- $project := has .program (list "dagster:code" "dagster:runner" "cli") -}}
{{- $settings := include "headwater.settings" . | fromYaml -}}
{{- $lasts := has .kind (list "deployment" "statefulset") -}}
{{- $trust := and (not $values.aws.enabled) (or (has "trino-tls" $calls) (eq .program "trino")) -}}
{{- $tls := eq .program "trino" -}}
{{- $pods := has .program (list "spark" "dagster:webserver" "dagster:daemon") -}}
{{- $home := ternary "/scratch" "/var/lib/headwater" (eq .program "spark:executor") -}}
{{- $authority := and $values.postgres.external.host $values.postgres.external.caConfigMap (has "postgres" $calls) -}}
{{- $image := .imageOf | default $program.component | default $component -}}
metadata:
  {{- with .name }}
  name: {{ . }}
  {{- end }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{ toJson . }}
  {{- end }}
  {{- if $pods }}
  annotations:
    # A change of what started pods are like reaches who starts them.
    headwater/pods: {{ include (printf "headwater.pods.%s" $component) $root | sha256sum | trunc 16 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "headwater.account" . }}
  automountServiceAccountToken: {{ eq (include "headwater.startsPods" .) "true" }}
  # Otherwise the cluster would add variables for every service, such as HEADWATER_PORT for one named headwater.
  enableServiceLinks: false
  {{- if not $lasts }}
  restartPolicy: {{ ternary "OnFailure" "Never" (eq .kind "job") }}
  {{- end }}
  {{- if $lasts }}
  terminationGracePeriodSeconds: {{ .grace | default 60 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    # PostgreSQL refuses data that a group may write, which the other policy would make of it.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with $values.image.pullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  {{- with $values.pods.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with $values.pods.tolerations }}
  tolerations: {{ toJson . }}
  {{- end }}
  {{- with $values.pods.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if gt (int (.replicas | default 1)) 1 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: { matchLabels: {{ include "headwater.selector" . | fromYaml | toJson }} }
  {{- end }}
  {{- $first := list }}
  {{- if eq .program "postgres" }}
  {{- $first = append $first (dict "name" "migrate" "command" (list "headwater" "migrate" "postgres")) }}
  {{- else if and $lasts $program.database }}
  {{- $first = append $first (dict "name" "migrated" "command" (list "headwater" "migrated" $component)) }}
  {{- end }}
  {{- if and (eq .program "catalog") $values.project.image }}
  {{- $first = append $first (dict "name" "project" "command" (list "cp" "-R" "/project/." "/mnt/project") "image" $values.project.image) }}
  {{- end }}
  {{- if $first }}
  initContainers:
    {{- range $one := $first }}
    - name: {{ $one.name }}
      image: {{ $one.image | default (include "headwater.image" (dict "root" $root "component" $component "project" $project)) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: {{ toJson $one.command }}
      env:
        {{- include "headwater.env" (dict "root" $root "logins" (ternary (list) $logins (eq $one.name "project")) "settings" dict) | nindent 8 }}
      resources: {{ toJson $values.resources.small }}
      securityContext: {{ include "headwater.container" . }}
      volumeMounts:
        - { name: home, mountPath: /var/lib/headwater }
        - { name: tmp, mountPath: /tmp }
        {{- if eq $one.name "project" }}
        - { name: project, mountPath: /mnt/project }
        {{- end }}
        {{- if $authority }}
        - { name: postgres-ca, mountPath: /etc/headwater/postgres, readOnly: true }
        {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .program | replace ":" "-" }}
      image: {{ include "headwater.image" (dict "root" $root "component" $image "project" $project) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: {{ .command | default (list "headwater" "run" .program) | toJson }}
      env:
        {{- include "headwater.env" (dict "root" $root "logins" $logins "settings" $settings "early" .early) | nindent 8 }}
        {{- if and (has .program (list "dagster:code" "dagster:runner")) $values.dagster.alerts.email.to }}
        - name: HEADWATER_ALERT_EMAIL
          value: {{ $values.dagster.alerts.email.to | quote }}
        - name: HEADWATER_SMTP_URL
          valueFrom: { secretKeyRef: { name: {{ $values.dagster.alerts.email.smtpSecret }}, key: HEADWATER_SMTP_URL } }
        {{- end }}
      {{- if and $lasts $program.listens }}
      ports:
        {{- range $program.listens }}
        - { name: {{ . }}, containerPort: {{ get $core.ports . }} }
        {{- end }}
      {{- end }}
      {{- if $lasts }}
      {{- $probe := .probe | default (list "headwater" "probe" "--here" .program) }}
      startupProbe: { exec: { command: {{ toJson $probe }} }, periodSeconds: 5, timeoutSeconds: 20, failureThreshold: 120 }
      readinessProbe: { exec: { command: {{ toJson $probe }} }, periodSeconds: 30, timeoutSeconds: 20, failureThreshold: 3 }
      # Only what has not worked for long is started anew: who is busy answers late.
      livenessProbe: { exec: { command: {{ toJson $probe }} }, periodSeconds: 60, timeoutSeconds: 30, failureThreshold: 10 }
      {{- end }}
      {{- if .drain }}
      lifecycle: { preStop: { exec: { command: [headwater, drain, {{ .program | quote }}] } } }
      {{- end }}
      resources: {{ toJson .values.resources }}
      securityContext: {{ include "headwater.container" . }}
      volumeMounts:
        - { name: home, mountPath: {{ $home }} }
        - { name: tmp, mountPath: /tmp }
        {{- if $trust }}
        - { name: trust, mountPath: /var/lib/headwater/trust, readOnly: true }
        {{- end }}
        {{- if $tls }}
        - { name: tls, mountPath: /etc/headwater/tls, readOnly: true }
        {{- end }}
        {{- if $pods }}
        - { name: pods, mountPath: /etc/headwater/pods, readOnly: true }
        {{- end }}
        {{- if and (eq .program "catalog") $values.project.image }}
        - { name: project, mountPath: /project, readOnly: true }
        {{- end }}
        {{- if $authority }}
        - { name: postgres-ca, mountPath: /etc/headwater/postgres, readOnly: true }
        {{- end }}
  volumes:
    - { name: tmp, emptyDir: { sizeLimit: 1Gi } }
    {{- if ne .kind "statefulset" }}
    - { name: home, emptyDir: {} }
    {{- end }}
    {{- if $trust }}
    - name: trust
      secret: { secretName: {{ include "headwater.tls" $root }}, items: [{ key: ca.crt, path: ca.pem }] }
    {{- end }}
    {{- if $tls }}
    - name: tls
      secret: { secretName: {{ include "headwater.tls" $root }}, items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: tls.key }] }
    {{- end }}
    {{- if $pods }}
    - { name: pods, configMap: { name: {{ $root.Release.Name }}-pods-{{ $component }} } }
    {{- end }}
    {{- if and (eq .program "catalog") $values.project.image }}
    - { name: project, emptyDir: {} }
    {{- end }}
    {{- if $authority }}
    - { name: postgres-ca, configMap: { name: {{ $values.postgres.external.caConfigMap }} } }
    {{- end }}
{{- end }}

{{- define "headwater.container" -}}
{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
{{- end }}

{{/* What pods are like that Spark and Dagster start: kept whole, as JSON, which both read. */}}
{{- define "headwater.pods.spark" -}}
{{- $pod := dict "root" . "program" "spark:executor" "kind" "template" "values" .Values.spark.executors "command" (list "sh" "-c" "exec headwater run spark:executor") -}}
{{ include "headwater.pod" $pod | fromYaml | merge (dict "apiVersion" "v1" "kind" "Pod") | toPrettyJson }}
{{- end }}

{{- define "headwater.pods.dagster" -}}
{{- $pod := dict "root" . "program" "dagster:runner" "kind" "template" "values" .Values.dagster.runs "command" (list "headwater" "exec" "--wait" "dagster:code") -}}
{{ include "headwater.pod" $pod | fromYaml | merge (dict "apiVersion" "v1" "kind" "Pod") | toPrettyJson }}
{{- end }}
