-- Requests as a browser sends them for modules: the query, Referer, Cookie and If-None-Match differ all the time.
local requests = {}
local count = 2000 -- the modules of a page of some size
for i = 1, count do
  requests[i] = table.concat({
    "GET /src/module" .. i .. ".js?t=" .. (1700000000000 + i * 37) .. " HTTP/1.1",
    "Host: localhost:8080",
    "Connection: keep-alive",
    "sec-ch-ua-platform: \"Linux\"",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    "Accept: */*",
    -- Every fourth comes from a page on another port of this machine, whose answer has to say that it may be read.
    "Sec-Fetch-Site: " .. (i % 4 == 0 and "same-site\r\nOrigin: http://localhost:3000" or "same-origin"),
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: script",
    "Referer: http://localhost:8080/src/page" .. (i % 397) .. ".js",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
    "Cookie: session=" .. ((i % 97) * 7919) .. "; theme=dark",
    "If-None-Match: W/\"" .. (i * 104729) .. "\"",
    "", "" }, "\r\n")
end
local position = math.random(count)
request = function()
  position = position % count + 1
  return requests[position]
end
