-- Reports of 10,000 clients over HTTP, one in each request, for wrk:
--
--     wrk -t1 -c50 -d5 -s tools/measure/put.lua http://127.0.0.1:13000
--
-- The server needs --http-locations.

local sent = 0
math.randomseed(7)

request = function()
  sent = sent + 1
  local body = string.format('{"latitude":%.5f,"longitude":%.5f}', math.random() * 180 - 90, math.random() * 360 - 180)
  return wrk.format("PUT", "/v1/clients/van" .. sent % 10000, { ["Content-Type"] = "application/json" }, body)
end
