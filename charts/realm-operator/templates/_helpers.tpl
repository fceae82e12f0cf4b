{{/* The chart's name in labels and names of objects. */}}
{{- define "realm-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the objects. At most 54 characters, so that "-metrics" still goes behind it. */}}
{{- define "realm-operator.fullname" -}}
{{- $name := .Release.Name -}}
{{- $chart := include "realm-operator.name" . -}}
{{- if not (contains $chart $name) -}}
{{- $name = printf "%s-%s" $name $chart -}}
{{- end -}}
{{- .Values.fullnameOverride | default $name | trunc 54 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels by which the operator's Pods are selected; they cannot change on an upgrade. */}}
{{- define "realm-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "realm-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "realm-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "realm-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* "true" if the operator serves the Gateway API, "false" if not. */}}
{{- define "realm-operator.servesGateways" -}}
{{- $enabled := .Values.gatewayApi.enabled -}}
{{- if kindIs "bool" $enabled -}}{{ $enabled }}{{- else -}}{{ empty .Values.watchNamespaces }}{{- end -}}
{{- end -}}

{{/* Name of the operator's ServiceAccount. */}}
{{- define "realm-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "realm-operator.fullname" .) -}}
{{- end -}}

{{/* Reference of an image: a dict of `image`, the `tag` if the image has none, and the `registry` in place of its own, if any. */}}
{{- define "realm-operator.image" -}}
{{- $repository := .image.repository -}}
{{- if .registry -}}
{{- $repository = printf "%s/%s" .registry (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default .tag) -}}
{{- end -}}
{{- end -}}

{{/* Labels of the Pod of `helm test`; not those of the operator's Pods, which Services select. */}}
{{- define "realm-operator.testLabels" -}}
app.kubernetes.io/name: {{ include "realm-operator.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
