-- One of very many clients for each request: an address out of the prefixes, and one of the paths.
-- BENCH_PATHS and BENCH_PREFIXES are files with one on each line, BENCH_AGENT the program that asks,
-- BENCH_DELAY_MS how long each connection waits between its requests.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

local function lines(variable)
  local found = {}
  for line in io.lines(os.getenv(variable)) do found[#found + 1] = line end
  return found
end

local random, heads, prefixes

function init()
  math.randomseed(seed + os.time())
  random = math.random
  prefixes = lines("BENCH_PREFIXES")
  heads = lines("BENCH_PATHS")
  local tail = " HTTP/1.1\r\nHost: bench.example.org\r\nUser-Agent: " .. os.getenv("BENCH_AGENT")
  for i, path in ipairs(heads) do heads[i] = "GET " .. path .. tail .. "\r\nX-Forwarded-For: " end
end

function request()
  return heads[random(#heads)] .. prefixes[random(#prefixes)] .. random(254) .. "\r\n\r\n"
end

local pause = tonumber(os.getenv("BENCH_DELAY_MS"))
if pause then
  function delay() return pause end
end

function done(summary, latency)
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%f,"failures":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
