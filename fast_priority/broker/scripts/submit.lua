-- Put requests on their queues, as rq jobs, unless the queue is full. O(1) in the length of the queues.
--
-- KEYS: 1 queue high, 2 queue low, 3 wake-up list, 4 gateway's sign of life
-- ARGV: 1 job key prefix, 2 gateway id, 3 seconds a job may wait, 4 most waiting high, 5 most waiting low,
--       6 most wake-up tokens, 7 wake-up TTL, 8 gateway TTL, 9 queue grace seconds, 10 number of constant arguments,
--       then the constant field-value pairs of a job, then for each job: id, queue name, data, time, description,
--       until when, by the clock of Redis, it may be queued, '1' if it goes first, for it has been queued before,
--       '1' if it may be queued again should its worker be lost
-- Returns { this server's run id, its clock's seconds and microseconds, then for each job 'queued', 'full' if its queue is,
-- or 'late' }. Late: a Redis that was held up must not queue what nobody waits for any more, nor what recall.lua has found
-- absent: its gateway has decided by that.
--
-- A job names the server that took it. A server that was restarted, or has taken the place of another, may have
-- forgotten the last that happened, so it cannot tell what of an earlier one's jobs has been started.

local server = this_server()
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local prefix, gateway, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local queues = { high = KEYS[1], low = KEYS[2] }
local limits = { high = tonumber(ARGV[4]), low = tonumber(ARGV[5]) }
local constants = tonumber(ARGV[10])
local first = 11 + constants

local fields = {}
for i = 11, first - 1 do fields[#fields + 1] = ARGV[i] end
local base = #fields

local waiting, outcomes, behind = {}, { server, time[1], time[2] }, {}
local woken = 0
for i = first, #ARGV, 8 do
  local id, name, goes_first = ARGV[i], ARGV[i + 1], ARGV[i + 6] == '1'
  waiting[name] = waiting[name] or redis.call('LLEN', queues[name])
  if now > tonumber(ARGV[i + 5]) then
    outcomes[#outcomes + 1] = 'late'
  elseif waiting[name] >= limits[name] and not goes_first then
    outcomes[#outcomes + 1] = 'full'
  else
    fields[base + 1], fields[base + 2] = 'data', ARGV[i + 2]
    fields[base + 3], fields[base + 4] = 'created_at', ARGV[i + 3]
    fields[base + 5], fields[base + 6] = 'enqueued_at', ARGV[i + 3]
    fields[base + 7], fields[base + 8] = 'description', ARGV[i + 4]
    fields[base + 9], fields[base + 10] = 'origin', name
    fields[base + 11], fields[base + 12] = 'gateway', gateway
    fields[base + 13], fields[base + 14] = 'server', server
    fields[base + 15], fields[base + 16] = 'again', ARGV[i + 7]
    if redis.call('HSET', prefix .. id, unpack(fields)) < #fields / 2 then
      -- Some fields were there: this is the tombstone that recall.lua left.
      redis.call('DEL', prefix .. id)
      outcomes[#outcomes + 1] = 'late'
    else
      -- The gateway withdraws it after ttl; the second more is for a gateway that cannot.
      redis.call('EXPIRE', prefix .. id, ttl + 1)
      behind[name] = behind[name] or {}
      if goes_first then redis.call('LPUSH', queues[name], id) else table.insert(behind[name], id) end
      waiting[name] = waiting[name] + 1
      outcomes[#outcomes + 1] = 'queued'
      woken = woken + 1
    end
  end
end

if woken > 0 then
  for name, ids in pairs(behind) do
    if #ids > 0 then redis.call('RPUSH', queues[name], unpack(ids)) end
    redis.call('EXPIRE', queues[name], ttl + tonumber(ARGV[9]))
  end
  local tokens = {}
  for i = 1, math.min(woken, tonumber(ARGV[6]) - redis.call('LLEN', KEYS[3])) do tokens[i] = '1' end
  if #tokens > 0 then redis.call('LPUSH', KEYS[3], unpack(tokens)) end
  redis.call('EXPIRE', KEYS[3], ARGV[7])
end

-- The gateway that asks is alive, whatever Redis remembers of it (it may just have restarted). Last of all: EXPIRE is
-- carried out even by a Redis that is out of memory, and what follows it in a script as well.
if redis.call('EXPIRE', KEYS[4], ARGV[8]) == 0 then redis.call('SET', KEYS[4], '1', 'EX', ARGV[8]) end
return outcomes
