-- What wrk sends, and how it reports: see load.py.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["content-type"] = "application/json"
for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^\n:]+): ([^\n]+)") do
  wrk.headers[name] = value
end

local pause_ms = tonumber(os.getenv("BENCH_PAUSE_MS"))
if pause_ms then
  function delay()
    return math.random(0, 2 * pause_ms)
  end
end

function done(summary, latency)
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "bytes": %d, "not_2xx": %d, "failed": %d, "p50_us": %f, "p99_us": %f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
