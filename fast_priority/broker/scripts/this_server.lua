-- Stands before each step that has to know which server it runs on: after a restart, or a failover, it is another.

local function this_server()
  local known, about = pcall(redis.call, 'INFO', 'server') -- a server that will not tell counts as always the same
  local at = known and string.find(about, 'run_id:', 1, true) -- a pattern would be tried at each of its 600 characters
  return at and string.match(about, '^%x+', at + 7) or ''
end

