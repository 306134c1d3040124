{{- define "signoz.quantile" -}}
#!/usr/bin/awk -f
# The quantile of a histogram, for ClickHouse: it sends a line of CSV for each row, `"[bounds]","[counts]",quantile`, counts
# being those of all values up to a bound, and reads the results. Counted as Prometheus' histogram_quantile does: linearly within
# the bucket that the quantile falls into; without a last bucket that ends at infinity there is no result.
BEGIN { FS = "\""; infinity = 1e300 }

function number(text) {
  if (text !~ /[iI][nN][fF]/) return text + 0
  return text ~ /-/ ? -infinity : infinity
}

# Sorts the buckets by their bounds, adds up those with the same bound, and lets no count be below that of a smaller bound.
function tidy(n,    i, j, b, c, kept) {
  for (i = 2; i <= n; i++) {
    b = bound[i]; c = count[i]
    for (j = i - 1; j >= 1 && bound[j] > b; j--) { bound[j + 1] = bound[j]; count[j + 1] = count[j] }
    bound[j + 1] = b; count[j + 1] = c
  }
  for (i = 1; i <= n; i++) {
    if (kept && bound[kept] == bound[i]) { count[kept] += count[i]; continue }
    kept++; bound[kept] = bound[i]; count[kept] = count[i]
  }
  for (i = 2; i <= kept; i++) if (count[i] < count[i - 1]) count[i] = count[i - 1]
  return kept
}

function quantile(q, n,    i, rank, start, below) {
  if (q < 0) return "-inf"
  if (q > 1) return "inf"
  n = tidy(n)
  if (n < 2 || bound[n] < infinity || count[n] == 0) return "nan"
  rank = q * count[n]
  for (i = 1; i < n && count[i] < rank; i++);
  if (i == n) return sprintf("%.17g", bound[n - 1])
  if (i == 1 && bound[1] <= 0) return sprintf("%.17g", bound[1])
  start = i > 1 ? bound[i - 1] : 0
  below = i > 1 ? count[i - 1] : 0
  if (count[i] == below) return "nan"
  return sprintf("%.17g", start + (bound[i] - start) * (rank - below) / (count[i] - below))
}

{
  n = split(substr($2, 2, length($2) - 2), bounds, ",")
  split(substr($4, 2, length($4) - 2), counts, ",")
  for (i = 1; i <= n; i++) { bound[i] = number(bounds[i]); count[i] = number(counts[i]) }
  q = substr($5, 2)
  print q ~ /[nN][aA][nN]/ ? "nan" : quantile(number(q), n)
}
{{- end }}
