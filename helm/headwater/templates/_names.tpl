{{/* What the chart knows of Headwater itself, written by `make chart`: ports, passwords, who calls whom. */}}
{{- define "headwater.core" -}}
{{ .Files.Get "files/core.json" }}
{{- end }}

{{/* A program's name in objects: `dagster:code` is release-dagster-code, and what others look up by name has that name. */}}
{{- define "headwater.name" -}}
{{- $core := include "headwater.core" .root | fromJson -}}
{{- $program := get $core.programs .program | default dict -}}
{{ .root.Release.Name }}-{{ $program.service | default (.program | replace ":" "-") }}
{{- end }}

{{- define "headwater.selector" -}}
app.kubernetes.io/name: headwater
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .program | replace ":" "-" }}
{{- end }}

{{- define "headwater.labels" -}}
{{ include "headwater.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headwater
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* A component's image; that of the user's own definitions where they are read. */}}
{{- define "headwater.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .component -}}
{{- if and .project .root.Values.project.image -}}
{{ .root.Values.project.image }}
{{- else if $digest -}}
{{ $image.repository }}/{{ .component }}@{{ $digest }}
{{- else -}}
{{ $image.repository }}/{{ .component }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The Secret with the passwords; on upgrade jobs run before the chart's own is changed, so they have one for themselves. */}}
{{- define "headwater.passwords" -}}
{{- if .root.Values.passwords.existingSecret -}}
{{ .root.Values.passwords.existingSecret }}
{{- else if and .early .root.Release.IsUpgrade -}}
{{ .root.Release.Name }}-passwords-migrate
{{- else -}}
{{ .root.Release.Name }}-passwords
{{- end -}}
{{- end }}

{{/* The passwords: those that are there stay, those that are missing are made, once in a render. */}}
{{- define "headwater.passwords.data" -}}
{{- if not (hasKey .Values "_passwords") -}}
{{- $core := include "headwater.core" . | fromJson -}}
{{- $there := (lookup "v1" "Secret" .Release.Namespace (printf "%s-passwords" .Release.Name)) | default dict -}}
{{- $data := $there.data | default dict | deepCopy -}}
{{- range $login, $variable := $core.passwords -}}
{{- if not (hasKey $data $variable) -}}
{{- $_ := set $data $variable (randAlphaNum 32 | b64enc) -}}
{{- end -}}
{{- end -}}
{{- $_ := set .Values "_passwords" $data -}}
{{- end -}}
{{ .Values._passwords | toYaml }}
{{- end }}

{{- define "headwater.tls" -}}
{{ .Values.trino.tls.existingSecret | default (printf "%s-trino-tls" .Release.Name) }}
{{- end }}

{{/* Whether a program is part of this release: "true" or nothing. */}}
{{- define "headwater.enabled" -}}
{{- $values := .root.Values -}}
{{- $component := .program | splitList ":" | first -}}
{{- if and $values.aws.enabled (has $component (include "headwater.core" .root | fromJson).lake.components) -}}
{{- /* Services of the account are in its place. */ -}}
{{- else if hasSuffix ":migrate" .program -}}
{{- /* Its policy is there before the part is: the migration of a part that an upgrade adds runs ahead of all else. */ -}}
true
{{- else if eq $component "postgres" -}}
{{- if not $values.postgres.external.host }}true{{ end -}}
{{- else if eq $component "minio" -}}
{{- if not $values.s3.url }}true{{ end -}}
{{- else if eq .program "trino:worker" -}}
{{- if gt (int $values.trino.workers.max) 0 }}true{{ end -}}
{{- else if has $component (list "spark" "superset" "dagster" "catalog" "cli") -}}
{{- if (get $values $component).enabled }}true{{ end -}}
{{- else -}}
true
{{- end -}}
{{- end }}

{{/* The account of a program's pods: who starts pods has one of its own, and who has a role in AWS that only reads. */}}
{{- define "headwater.account" -}}
{{- if has .program (list "dagster:webserver" "dagster:daemon") -}}
{{ .root.Release.Name }}-dagster
{{- else if eq .program "spark" -}}
{{ .root.Release.Name }}-spark
{{- else if and .root.Values.aws.enabled (eq .program "superset") -}}
{{ .root.Release.Name }}-superset
{{- else -}}
{{ .root.Release.Name }}
{{- end -}}
{{- end }}

{{- define "headwater.startsPods" -}}
{{- if has .program (list "dagster:webserver" "dagster:daemon" "spark") }}true{{ end -}}
{{- end }}
