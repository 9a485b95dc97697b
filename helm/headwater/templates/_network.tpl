{{/*
What one program may be called by and call: the arrows that Headwater's own list has, and nothing else. The bootstrap of
a component is `COMPONENT:migrate`.
*/}}
{{- define "headwater.networkPolicy" -}}
{{- if and .root.Values.networkPolicy.enabled (eq (include "headwater.enabled" .) "true") -}}
{{- $root := .root -}}
{{- $me := .program -}}
{{- $values := .root.Values -}}
{{- $core := include "headwater.core" .root | fromJson -}}
{{- $program := get $core.programs .program | default dict -}}
{{- $listens := $program.listens | default list -}}
{{- $calls := $program.calls | default list -}}
{{- if hasSuffix ":migrate" .program -}}
{{- $calls = (get $core.migrations (trimSuffix ":migrate" .program)).calls -}}
{{- end -}}
{{- if eq .program "test" -}}
{{- $calls = list "trino-tls" "catalog" -}}
{{- end -}}
{{- $callers := include "headwater.callers" (dict "root" $root "core" $core "listens" $listens) | fromJson -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .root.Release.Name }}-{{ .program | replace ":" "-" }}
  labels:
    {{- include "headwater.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "headwater.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $port := $listens }}
    {{- $from := get $callers $port }}
    {{- $people := and $values.ingress.enabled (get $values.ingress.hosts $port) }}
    {{- if or $from $people (has $port (list "trino-tls" "catalog")) }}
    - ports: [{ port: {{ get $core.ports $port }}, protocol: TCP }]
      from:
        {{- range $from }}
        - podSelector: { matchLabels: {{ include "headwater.selector" (dict "root" $root "program" .) | fromYaml | toJson }} }
        {{- end }}
        {{- if has $port (list "trino-tls" "catalog") }}
        - podSelector: { matchLabels: {{ include "headwater.selector" (dict "root" $root "program" "test") | fromYaml | toJson }} }
        {{- end }}
        {{- if and (eq $port "trino-tls") $values.serviceMonitor.enabled }}
        {{- range $values.serviceMonitor.from }}
        - {{ toJson . }}
        {{- end }}
        {{- end }}
        {{- if $people }}
        {{- range $values.networkPolicy.people }}
        - {{ toJson . }}
        {{- end }}
        {{- end }}
    {{- end }}
    {{- end }}
  egress:
    - ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
      to: [{ namespaceSelector: {}, podSelector: { matchLabels: {{ toJson $values.networkPolicy.dns }} } }]
    {{- $account := false }}
    {{- range $port := $calls }}
    {{- if and $values.aws.enabled (has $port $core.lake.ports) }}
    {{- $account = true }}
    {{- else if and (eq $port "postgres") $values.postgres.external.host }}
    - ports: [{ port: {{ int $values.postgres.external.port }}, protocol: TCP }]
      to: {{ include "headwater.cidrs" $values.networkPolicy.external }}
    {{- else if and (eq $port "minio") $values.s3.url }}
    - ports: [{ port: {{ int $values.s3.port }}, protocol: TCP }]
      to: {{ include "headwater.cidrs" $values.networkPolicy.external }}
    {{- else }}
    {{- /* A rule that names nobody would let out to everybody, so there is none for a part that is left out. */ -}}
    {{- with include "headwater.callees" (dict "root" $root "core" $core "port" $port) | fromJsonArray }}
    - ports: [{ port: {{ get $core.ports $port }}, protocol: TCP }]
      to:
        {{- range . }}
        - podSelector: { matchLabels: {{ include "headwater.selector" (dict "root" $root "program" .) | fromYaml | toJson }} }
        {{- end }}
    {{- end }}
    {{- end }}
    {{- end }}
    {{- if $account }}
    - ports: [{ port: 443, protocol: TCP }]
      to: {{ include "headwater.cidrs" $values.networkPolicy.external }}
    # The agent on each node that gives pods their role: EKS Pod Identity.
    - ports: [{ port: 80, protocol: TCP }]
      to: {{ include "headwater.cidrs" (list "169.254.170.23/32") }}
    {{- end }}
    {{- if eq (include "headwater.startsPods" .) "true" }}
    - ports: {{ include "headwater.ports" $values.networkPolicy.kubernetes.ports }}
      to: {{ include "headwater.cidrs" $values.networkPolicy.kubernetes.cidrs }}
    {{- end }}
    {{- range (get $values.networkPolicy.more (.program | replace ":" "-") | default list) }}
    - {{ toJson . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Which programs of this release listen on a port, as JSON. */}}
{{- define "headwater.callees" -}}
{{- $names := list -}}
{{- range $name, $one := .core.programs -}}
{{- if and (has $.port $one.listens) (eq (include "headwater.enabled" (dict "root" $.root "program" $name)) "true") -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{ toJson $names }}
{{- end }}

{{/* Who of this release calls each port of a list, as JSON: port -> programs, bootstraps among them. */}}
{{- define "headwater.callers" -}}
{{- $found := dict -}}
{{- range $port := .listens -}}
{{- $names := list -}}
{{- range $name, $one := $.core.programs -}}
{{- if and (has $port $one.calls) (eq (include "headwater.enabled" (dict "root" $.root "program" $name)) "true") -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- range $name, $one := $.core.migrations -}}
{{- $bootstrap := printf "%s:migrate" $name -}}
{{- if and (has $port $one.calls) (eq (include "headwater.enabled" (dict "root" $.root "program" $bootstrap)) "true") -}}
{{- $names = append $names $bootstrap -}}
{{- end -}}
{{- end -}}
{{- $_ := set $found $port $names -}}
{{- end -}}
{{ toJson $found }}
{{- end }}

{{- define "headwater.cidrs" -}}
{{- $found := list -}}
{{- range . }}{{ $found = append $found (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
{{ toJson $found }}
{{- end }}

{{- define "headwater.ports" -}}
{{- $found := list -}}
{{- range . }}{{ $found = append $found (dict "port" (int .) "protocol" "TCP") }}{{ end -}}
{{ toJson $found }}
{{- end }}
