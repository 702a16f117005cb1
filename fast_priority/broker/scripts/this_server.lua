-- A part of the scripts that must know which server runs them. After a restart or a failover it is another server.

local function this_server()
  local is_known, info = pcall(redis.call, 'INFO', 'server') -- without INFO, all servers count as the same
  local at = is_known and string.find(info, 'run_id:', 1, true) -- plain text: a pattern would be tried at 600 places
  return at and string.match(info, '^%x+', at + 7) or ''
end
