{{/* Values that fit the schema and still cannot be: each stops the render with a sentence. */}}
{{- define "headwater.checks" -}}
{{- $values := .Values -}}
{{- if gt (len .Release.Name) 30 -}}
{{- fail (printf "The release's name %s has more than 30 letters, and objects' names are longer still; choose a shorter one." .Release.Name) -}}
{{- end -}}
{{- if and $values.postgres.external.host (not $values.passwords.existingSecret) -}}
{{- fail (printf "postgres.external.host is %s, whose password only you know: set passwords.existingSecret to a Secret that has it as HEADWATER_PASSWORD_POSTGRES." $values.postgres.external.host) -}}
{{- end -}}
{{- if and $values.postgres.external.host (eq $values.postgres.external.sslmode "verify-full") (not $values.postgres.external.caConfigMap) -}}
{{- fail "postgres.external.sslmode is verify-full: set postgres.external.caConfigMap to a ConfigMap that has the authority as ca.crt." -}}
{{- end -}}
{{- if and $values.s3.url (ne $values.s3.url "aws") (not $values.s3.accessKey) -}}
{{- fail (printf "s3.url is %s: set s3.accessKey, and passwords.existingSecret to a Secret that has the secret key as HEADWATER_PASSWORD_MINIO." $values.s3.url) -}}
{{- end -}}
{{- if and $values.s3.accessKey (not $values.passwords.existingSecret) -}}
{{- fail "s3.accessKey is set, whose secret key only you know: set passwords.existingSecret to a Secret that has it as HEADWATER_PASSWORD_MINIO." -}}
{{- end -}}
{{- if and $values.s3.accessKey (not $values.s3.url) -}}
{{- fail "s3.accessKey is set, but s3.url is empty, so MinIO is in this release and has its own login; set s3.url or clear s3.accessKey." -}}
{{- end -}}
{{- if and $values.aws.enabled (ne $values.s3.url "aws") -}}
{{- fail (printf "aws.enabled is true, so the lake is in Amazon S3, but s3.url is %q: set it to aws, and s3.bucket and s3.region to those of `headwater aws deploy`." $values.s3.url) -}}
{{- end -}}
{{- if and $values.aws.enabled $values.s3.accessKey -}}
{{- fail "aws.enabled is true, and every AWS client takes its login from the role of its pod: clear s3.accessKey, and set serviceAccount.annotations." -}}
{{- end -}}
{{- if and $values.aws.enabled $values.serviceMonitor.enabled -}}
{{- fail "serviceMonitor.enabled is true, but its figures are Trino's, and with aws.enabled there is none; set one of them to false." -}}
{{- end -}}
{{- if lt (int $values.trino.workers.max) (int $values.trino.workers.min) -}}
{{- fail (printf "trino.workers.max is %d and trino.workers.min is %d; give a max that is not below min." (int $values.trino.workers.max) (int $values.trino.workers.min)) -}}
{{- end -}}
{{- if and (gt (int $values.trino.workers.max) 0) (lt (int $values.trino.workers.min) 1) -}}
{{- fail "trino.workers.min is 0 although there may be workers; give at least 1, or set trino.workers.max to 0 for a coordinator that computes itself." -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.tlsSecret) -}}
{{- fail "ingress.enabled is true, and pages take passwords: set ingress.tlsSecret to a Secret with the certificate of ingress.hosts." -}}
{{- end -}}
{{- if and $values.ingress.enabled (not (include "headwater.urls" .)) -}}
{{- fail "ingress.enabled is true, but no page has a name: set at least one of ingress.hosts." -}}
{{- end -}}
{{- if and $values.dagster.alerts.email.to (not $values.dagster.alerts.email.smtpSecret) -}}
{{- fail "dagster.alerts.email.to is set: set dagster.alerts.email.smtpSecret to a Secret that has the server as HEADWATER_SMTP_URL." -}}
{{- end -}}
{{- end }}
