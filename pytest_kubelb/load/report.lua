-- Prints what wrk measured as one line of JSON between two markers, after wrk's own text.
-- Only done() is defined: wrk then builds the request once, and no Lua runs while it measures.

local PERCENTILES = { "50", "75", "90", "95", "99", "99.9", "99.99" }

-- JSON has no NaN and no infinity: null takes their place.
local function number(value)
  if value == nil or value ~= value or value == math.huge or value == -math.huge then
    return "null"
  end
  return string.format("%.17g", value)
end

-- "%d" stops at 2^31 in some builds of LuaJIT.
local function count(value)
  if value == nil or value ~= value or value == math.huge or value == -math.huge then
    return "null"
  end
  return string.format("%.0f", value)
end

function done(summary, latency, requests)
  local minimum = latency.min
  if minimum > latency.max then
    minimum = nil -- without a single response wrk leaves 2^64 - 1 there
  end
  local percentiles = {}
  for i, percentile in ipairs(PERCENTILES) do
    percentiles[i] = string.format('"%s":%s', percentile, number(latency:percentile(tonumber(percentile))))
  end
  local errors = summary.errors
  io.write(
    "KUBELB-WRK-BEGIN {",
    '"requests":', count(summary.requests),
    ',"bytes":', count(summary.bytes),
    ',"duration_us":', count(summary.duration),
    ',"latency":{"min_us":', number(minimum),
    ',"mean_us":', number(latency.mean),
    ',"stdev_us":', number(latency.stdev),
    ',"max_us":', number(latency.max),
    ',"percentiles_us":{', table.concat(percentiles, ","),
    '}},"errors":{"connect":', count(errors.connect),
    ',"read":', count(errors.read),
    ',"write":', count(errors.write),
    ',"status":', count(errors.status),
    ',"timeout":', count(errors.timeout),
    "}} KUBELB-WRK-END\n"
  )
end
