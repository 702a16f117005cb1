-- Publish parts of responses on the inboxes of the gateways that asked. The last part of a request ends it: its job and its
-- lease are removed.
--
-- A worker may publish without a lease: Redis may have been away and lost the lease, while the gateway still waits. The
-- gateway alone gives a request up. After that its parts are dropped here, because the gateway has marked it as cancelled.
-- Parts of a job that another execution holds are dropped as well.
--
-- Keys:      started_keys
-- Arguments: lanes
-- Parts:     id, execution_id, lane, gateway_id; frame: '' to publish nothing; is_last: '1' for the last part
-- Returns for each part 1 if it was published, 0 if it was dropped, -1 if the gateway's inbox is not a list.

-- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
local has_ttl = {}
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local gateway = ARGV[at + GATEWAY_ID]
  if has_ttl[gateway] == nil then has_ttl[gateway] = redis.call('EXPIRE', INBOX_PREFIX .. gateway, INBOX_TTL_SECONDS) == 1 end
end

local cancelled_keys = {}
for at = FIRST_ROW, #ARGV, ROW_SIZE do cancelled_keys[#cancelled_keys + 1] = CANCELLED_PREFIX .. ARGV[at + ID] end
local some_are_cancelled = redis.call('EXISTS', unpack(cancelled_keys)) > 0

local ended, pushed, outcomes = {}, {}, {}
for at = FIRST_ROW, #ARGV, ROW_SIZE do
  local id, gateway, frame, is_last = ARGV[at + ID], ARGV[at + GATEWAY_ID], ARGV[at + FRAME], ARGV[at + IS_LAST] == '1'
  local started_key, member, job = started_keys[ARGV[at + LANE]], id .. ':' .. ARGV[at + EXECUTION_ID], JOB_PREFIX .. id
  local is_set, found = pcall(redis.call, is_last and 'ZREM' or 'ZSCORE', started_key, member)
  local is_leased = not is_set or (found and found ~= 0) -- not a sorted set: publish all the same
  local is_anothers = not is_leased and redis.call('EXISTS', job) == 1
  if is_last and not is_anothers then ended[#ended + 1] = job end
  local is_cancelled = some_are_cancelled and redis.call('EXISTS', CANCELLED_PREFIX .. id) == 1
  local number = #outcomes + 1
  if is_anothers or is_cancelled or gateway == '' then
    outcomes[number] = 0
  else
    outcomes[number] = 1
    if frame ~= '' then
      local frames = pushed[gateway] or {}
      frames[#frames + 1] = { frame, number }
      pushed[gateway] = frames
    end
  end
end
if #ended > 0 then redis.call('DEL', unpack(ended)) end

for gateway, frames in pairs(pushed) do
  local inbox, values = INBOX_PREFIX .. gateway, {}
  for i, frame in ipairs(frames) do values[i] = frame[1] end
  if not pcall(redis.call, 'RPUSH', inbox, unpack(values)) then
    for _, frame in ipairs(frames) do outcomes[frame[2]] = -1 end
  elseif not has_ttl[gateway] then
    redis.call('EXPIRE', inbox, INBOX_TTL_SECONDS)
  end
end
return outcomes
