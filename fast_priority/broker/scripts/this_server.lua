-- Stands before each step that has to know which server it runs on: after a restart, or a failover, it is another.

local function this_server()
  local known, about = pcall(redis.call, 'INFO', 'server') -- a server that will not tell counts as always the same
  return known and string.match(about, 'run_id:(%x+)') or ''
end

