{{/* The variables of a process: where everything is, what was set, and its own passwords alone. */}}
{{- define "headwater.env" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $core := include "headwater.core" .root | fromJson -}}
- name: HEADWATER_PROFILE
  value: {{ ternary "eks" "kubernetes" $values.aws.enabled }}
- name: HEADWATER_RELEASE
  value: {{ .root.Release.Name }}
- name: HEADWATER_NAMESPACE
  value: {{ .root.Release.Namespace }}
- name: HEADWATER_ADDRESS
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: HEADWATER_START_TIMEOUT
  value: {{ $values.startTimeoutSeconds | quote }}
- name: HEADWATER_BUCKET
  value: {{ $values.s3.bucket | quote }}
{{- if $values.aws.enabled }}
- name: AWS_REGION
  value: {{ $values.s3.region | quote }}
- name: HEADWATER_ATHENA_WORKGROUP
  value: {{ $values.aws.workGroup | quote }}
- name: HEADWATER_ATHENA_REUSE
  value: {{ $values.aws.reuseMinutes | quote }}
- name: HEADWATER_EMR_APPLICATION
  value: {{ $values.aws.emr.application | quote }}
- name: HEADWATER_EMR_ROLE
  value: {{ $values.aws.emr.role | quote }}
{{- else }}
- name: HEADWATER_REGION
  value: {{ $values.s3.region | quote }}
{{- if $values.s3.url }}
- name: HEADWATER_S3
  value: {{ $values.s3.url | quote }}
{{- end }}
{{- end }}
{{- if $values.postgres.external.host }}
- name: HEADWATER_POSTGRES
  value: {{ printf "%s:%d" $values.postgres.external.host (int $values.postgres.external.port) | quote }}
- name: HEADWATER_POSTGRES_SSLMODE
  value: {{ $values.postgres.external.sslmode }}
{{- if $values.postgres.external.caConfigMap }}
- name: HEADWATER_POSTGRES_CA
  value: /etc/headwater/postgres/ca.crt
{{- end }}
{{- if has "postgres" .logins }}
- name: HEADWATER_USER_POSTGRES
  value: {{ $values.postgres.external.user | quote }}
{{- end }}
{{- end }}
{{- if $values.ingress.enabled }}
- name: HEADWATER_URLS
  value: {{ include "headwater.urls" .root | quote }}
{{- end }}
{{- range $name, $value := .settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- $secret := include "headwater.passwords" . }}
{{- range $login := .logins }}
{{- if and (eq $login "minio") $values.s3.url }}
{{- if $values.s3.accessKey }}
- name: HEADWATER_USER_MINIO
  value: {{ $values.s3.accessKey | quote }}
{{- end }}
{{- end }}
{{- $elsewhere := and $values.aws.enabled (has $login $core.lake.logins) }}
{{- if and (not $elsewhere) (or (ne $login "minio") (not $values.s3.url) $values.s3.accessKey) }}
- name: {{ get $core.passwords $login }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ get $core.passwords $login }} } }
{{- end }}
{{- end }}
{{- end }}

{{/* Where people reach the pages. */}}
{{- define "headwater.urls" -}}
{{- $urls := list -}}
{{- range $port, $host := .Values.ingress.hosts -}}
{{- if $host }}{{ $urls = append $urls (printf "%s=https://%s" $port $host) }}{{ end -}}
{{- end -}}
{{ join "," $urls }}
{{- end }}

{{/* What a user set for a process, by variable. */}}
{{- define "headwater.settings" -}}
{{- $values := .root.Values -}}
{{- if eq .program "metastore" }}
HEADWATER_METASTORE_HEAP: {{ $values.metastore.heap }}
{{- else if eq .program "minio" }}
HEADWATER_MINIO_MEMORY: {{ $values.minio.memory }}
{{- else if eq .program "spark" }}
HEADWATER_SPARK_HEAP: {{ $values.spark.heap }}
HEADWATER_SPARK_POD: /etc/headwater/pods/executor.json
HEADWATER_SPARK_EXECUTORS: {{ $values.spark.executors.max }}
HEADWATER_SPARK_EXECUTOR_HEAP: {{ $values.spark.executors.heap }}
HEADWATER_SPARK_EXECUTOR_CORES: {{ $values.spark.executors.cores }}
{{- else if eq .program "spark:executor" }}
# Spark mounts its own folders where the driver has them; what this process renders lies beside those.
HEADWATER_HOME: /scratch
{{- else if eq .program "trino" }}
HEADWATER_TRINO_HEAP: {{ $values.trino.heap }}
HEADWATER_TRINO_WORKERS: {{ $values.trino.workers.min }}
HEADWATER_TLS: /etc/headwater/tls
{{- else if eq .program "trino:worker" }}
HEADWATER_TRINO_HEAP: {{ $values.trino.workers.heap }}
{{- else if eq .program "trino:migrate" }}
HEADWATER_TLS: /etc/headwater/tls
{{- else if has .program (list "dagster:webserver" "dagster:daemon") }}
HEADWATER_RUN_POD: /etc/headwater/pods/run.json
HEADWATER_DAGSTER_RUNS: {{ $values.dagster.runs.atOnce }}
{{- else if has .program (list "dagster:code" "dagster:runner") }}
HEADWATER_MAINTAIN: {{ $values.dagster.maintain | quote }}
{{- if $values.dagster.alerts.webhook }}
HEADWATER_ALERT_WEBHOOK: {{ $values.dagster.alerts.webhook | quote }}
{{- end }}
{{- end }}
{{- end }}
