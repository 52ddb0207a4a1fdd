-- Walks through the users whose lists lie in the cache; prints one line of JSON at the end.
local users = 5000
local user = 0

function request()
  user = user % users + 1
  return wrk.format("GET", "/recommend/cached/" .. user .. "?top_n=20")
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"failures":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000
  ))
end
