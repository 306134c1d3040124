{{/* The words that wait until every address given to them takes connections. Many a dev server that finds its database away ends, and then waits for an edit; one that
     starts when the others are there does not. A Service answers as soon as a pod behind it is ready. The app's own image has to do it: `nc` comes with Alpine, bash with Debian;
     with neither, nothing is waited for. What has failed for good must not keep the app down: so there is an end to it. */}}
{{- define "dev-app.wait" -}}
- /bin/sh
- -c
- |-
  end=$(( $(date +%s) + 120 ))
  if command -v nc >/dev/null; then
    answers() { nc -z -w 2 "$1" "$2"; }
  elif command -v bash >/dev/null; then
    answers() { timeout 2 bash -c ': >"/dev/tcp/$0/$1"' "$1" "$2"; }
  else
    exit 0
  fi
  for at; do
    until answers "${at%:*}" "${at##*:}" >/dev/null 2>&1; do
      if [ "$(date +%s)" -ge "$end" ]; then
        echo "kilter: $at does not answer; starting all the same" >&2
        break
      fi
      sleep 0.2 2>/dev/null || sleep 1
    done
  done
- wait
{{ include "kilter.words" . }}
{{- end }}
