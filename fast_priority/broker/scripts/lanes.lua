-- A part of the scripts that serve queues. It takes the levels from Redis, where gateways keep them (levels.lua), in the moment
-- in which the script runs: a claim that was sent ahead follows the levels of that moment.
--
-- `lanes`, which are those that the caller knows, become those that are served now, in their order. A lane that only the caller
-- knows stays behind the one that it follows there. Without a note of levels in Redis, or with one that is broken, `lanes` stay
-- as they are.
--
-- The note is a hash: levels: the names of those in force, the most important first; served: these and the removed ones that
-- are not empty yet; change: how often one set of levels took the place of another.

local function names_in(text, most)
  local names, is_there = {}, {}
  for name in string.gmatch(text or '', '%S+') do
    if #names == most or is_there[name] or #name > 16 or not string.find(name, '^[a-z][a-z0-9]*$') then return nil end
    names[#names + 1] = name
    is_there[name] = true
  end
  if #names > 0 then return names, is_there end
end

-- Return the names, and each of the others behind the one that it follows there.
local function with_others(names, others)
  local all, place_of, behind = {}, {}, 0
  for place, name in ipairs(names) do
    all[place], place_of[name] = name, place
  end
  for _, name in ipairs(others) do
    if not place_of[name] then
      table.insert(all, behind + 1, name)
      for place = behind + 1, #all do place_of[all[place]] = place end
    end
    behind = place_of[name]
  end
  return all
end

local is_hash, noted = pcall(redis.call, 'HMGET', levels_key, 'levels', 'served', 'change')
if not is_hash then noted = {} end
local noted_levels = names_in(noted[1], MOST_LEVELS)
local served, is_served = names_in(noted[2], MOST_LANES)
if not noted_levels then served = nil end
local lanes_of_caller = lanes
if served then lanes = with_others(served, lanes) end

local function write_levels(in_force, all, change)
  redis.call('DEL', levels_key)
  redis.call('HSET', levels_key, 'levels', in_force, 'served', table.concat(all, ' '), 'change', change)
  redis.call('PEXPIRE', levels_key, LEVELS_TTL_MILLISECONDS)
end
