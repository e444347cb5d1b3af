{{/* Labels of all objects and pods. Selectors have the first one only: those of a StatefulSet never change. */}}
{{- define "herd.labels" -}}
app.kubernetes.io/name: herd
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
app.kubernetes.io/part-of: herd
{{- end }}

{{- define "herd.selector" -}}
app.kubernetes.io/name: herd
{{- end }}

{{/* The topology file. */}}
{{- define "herd.topology" -}}
{{- .Values.topology | default (.Files.Get "files/topology") -}}
{{- end }}

{{/* Its name ends in a hash of the content, so a change restarts the pods, one after the other. */}}
{{- define "herd.topologyName" -}}
herd-topology-{{ include "herd.topology" . | sha256sum | trunc 10 }}
{{- end }}
