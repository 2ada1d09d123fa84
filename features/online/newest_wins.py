"""Lua that runs inside Redis: what is there is compared and replaced in one step."""

from __future__ import annotations

#: Writes each row unless a newer one is there, and gives the number of rows written. Feast's own writer also skips rows of the
#: same time; here the later call wins among equals, because two outcomes may share a time, and each entity has one writer.
#: KEYS: the entities. ARGV: how many fields, their names (the time's first), then for each key: seconds, nanoseconds, the encoded
#: time, the encoded features.
NEWEST_WINS = """
local call, byte = redis.call, string.byte
local width, clock = tonumber(ARGV[1]), ARGV[2]
local row = {'HSET', ''}
for j = 1, width do row[1 + 2 * j] = ARGV[1 + j] end
local function time_of(data)
  local found, position = {[8] = 0, [16] = 0}, 1
  while position <= #data do
    local tag, value, scale, part = byte(data, position), 0, 1
    repeat
      position = position + 1
      part = byte(data, position)
      value = value + part % 128 * scale
      scale = scale * 128
    until part < 128
    found[tag] = value
    position = position + 1
  end
  return found[8], found[16]
end
local written, at = 0, width + 1
for i = 1, #KEYS do
  local stored, newer = call('HGET', KEYS[i], clock), true
  if stored and stored ~= ARGV[at + 3] then
    local seconds, nanos = time_of(stored)
    local coming = tonumber(ARGV[at + 1])
    newer = coming > seconds or (coming == seconds and tonumber(ARGV[at + 2]) >= nanos)
  end
  if newer then
    row[2] = KEYS[i]
    for j = 1, width do row[2 + 2 * j] = ARGV[at + 2 + j] end
    call(unpack(row))
    written = written + 1
  end
  at = at + width + 2
end
return written
"""
