-- Keep the levels of a gateway in force, or find out which others are.
--
-- The first gateway puts its levels in force, and each renews them while they are the same. A gateway with others changes
-- nothing, unless it takes over. What it removes is served until it is empty, in the place that it had.
--
-- Keys:      levels_key: the note of levels (lanes.lua); queues_key: rq's register of queues; queue_keys, started_keys
-- Arguments: levels: the names of this gateway's levels, with a space between them; change: the change that it knows;
--            takes_over: whether it puts its levels in the place of others; may_begin: whether it puts them in force if none
--            are; lanes
-- Returns { the levels in force, the levels that are served, the change }. The first is '' if none are in force.

local function is_empty(lane)
  local is_list, length = pcall(redis.call, 'LLEN', queue_keys[lane])
  local is_set, leases = pcall(redis.call, 'ZCARD', started_keys[lane])
  return (not is_list or length == 0) and (not is_set or leases == 0)
end

-- Return the levels of this gateway with others that are served as well, at most MOST_LANES.
local function all_of_mine(others)
  local own, is_own = names_in(levels, MOST_LEVELS)
  local all = with_others(own, others)
  for place = #all, 1, -1 do
    if #all > MOST_LANES and not is_own[all[place]] then table.remove(all, place) end
  end
  return all
end

local in_force = served and table.concat(noted_levels, ' ') or ''
local noted_change = string.match(noted[3] or '', '^%d%d?%d?%d?%d?%d?%d?%d?%d?$')
noted_change = noted_change and tonumber(noted_change) or 0

if not served then
  if not may_begin then return { '', '', 0 } end
  served = all_of_mine(lanes)
  write_levels(levels, served, change)
  return { levels, table.concat(served, ' '), change }
elseif in_force == levels then
  redis.call('PEXPIRE', levels_key, LEVELS_TTL_MILLISECONDS)
  local _, stays = names_in(levels, MOST_LEVELS)
  local rest = {}
  for _, lane in ipairs(served) do
    if stays[lane] or not is_empty(lane) then
      rest[#rest + 1] = lane
    else
      pcall(redis.call, 'SREM', queues_key, queue_keys[lane])
    end
  end
  if #rest < #served then redis.call('HSET', levels_key, 'served', table.concat(rest, ' ')) end
  return { levels, table.concat(rest, ' '), noted_change }
elseif takes_over then
  served = all_of_mine(served)
  write_levels(levels, served, noted_change + 1)
  return { levels, table.concat(served, ' '), noted_change + 1 }
end
return { in_force, table.concat(served, ' '), noted_change }
