-- Say something about requests that a worker started, to the gateways that asked for them; the last thing said ends a
-- request, and nothing of it stays.
--
-- A worker whose lease is gone may still speak: Redis may have lost it, being away, and the gateway may still wait. It is
-- the gateway that gives a request up; from then on it hears nothing of it, and what it has marked as over is dropped
-- here. So is what is said of a job that another execution holds.
--
-- KEYS: 1 started high, 2 started low
-- ARGV: 1 job key prefix, 2 mark key prefix, 3 inbox key prefix, 4 inbox TTL,
--       then for each frame: id, execution id, queue name, gateway id, frame ('' to say nothing), '1' if it is the last
-- Returns, for each frame, 1 if it was delivered, 0 if it was dropped, and -1 if the gateway's inbox is no list.

local started = { high = KEYS[1], low = KEYS[2] }
local jobs, marks, inboxes = ARGV[1], ARGV[2], ARGV[3]

-- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
local lives = {}
for i = 5, #ARGV, 6 do
  local gateway = ARGV[i + 3]
  if lives[gateway] == nil then lives[gateway] = redis.call('EXPIRE', inboxes .. gateway, ARGV[4]) == 1 end
end

local marks_asked = {}
for i = 5, #ARGV, 6 do marks_asked[#marks_asked + 1] = marks .. ARGV[i] end
local some_are_over = redis.call('EXISTS', unpack(marks_asked)) > 0

local ended, pushed, delivered = {}, {}, {}
for i = 5, #ARGV, 6 do
  local id, gateway, frame, is_last = ARGV[i], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5] == '1'
  local lane, member, job = started[ARGV[i + 2]], id .. ':' .. ARGV[i + 1], jobs .. id
  local is_set, found = pcall(redis.call, is_last and 'ZREM' or 'ZSCORE', lane, member)
  local is_leased = not is_set or (found and found ~= 0) -- what is no set tells nothing, and holds nobody up
  local is_anothers = not is_leased and redis.call('EXISTS', job) == 1
  if is_last and not is_anothers then ended[#ended + 1] = job end
  local is_over = some_are_over and redis.call('EXISTS', marks .. id) == 1
  local outcome = #delivered + 1
  if is_anothers or is_over or gateway == '' then
    delivered[outcome] = 0
  else
    delivered[outcome] = 1
    if frame ~= '' then
      local frames = pushed[gateway] or {}
      frames[#frames + 1] = { frame, outcome }
      pushed[gateway] = frames
    end
  end
end
if #ended > 0 then redis.call('DEL', unpack(ended)) end

for gateway, frames in pairs(pushed) do
  local inbox, told = inboxes .. gateway, {}
  for i, frame in ipairs(frames) do told[i] = frame[1] end
  if not pcall(redis.call, 'RPUSH', inbox, unpack(told)) then
    for _, frame in ipairs(frames) do delivered[frame[2]] = -1 end
  elseif not lives[gateway] then
    redis.call('EXPIRE', inbox, ARGV[4])
  end
end
return delivered
