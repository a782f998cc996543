-- Two Neovims, one server: both get what they ask for, and one goes on when the other has ended. See driver.lua.
local driver = dofile(vim.fn.fnamemodify(_G.arg[0], ':p:h') .. '/driver.lua')

-- The processes that listen on a socket of this run's XDG_RUNTIME_DIR.
local function residents()
  local found = {}
  for _, path in ipairs(vim.fn.glob('/proc/[0-9]*/cmdline', true, true)) do
    local file = io.open(path)
    local arguments = vim.split(file and file:read('a') or '', '\0', { plain = true })
    if file then file:close() end
    local socket = vim.iter(arguments):any(function(one) return vim.startswith(one, vim.env.XDG_RUNTIME_DIR) end)
    if socket and vim.list_contains(arguments, '--resident') then table.insert(found, tonumber(path:match('%d+'))) end
  end
  return found
end

local function is_alive(pid) return vim.uv.kill(pid, 0) == 0 end

local first, second = driver.open('first window'), driver.open('second window')
local one, other = first:ask('r1ls/status'), second:ask('r1ls/status')
local servers = residents()
first:expect(#servers == 1, 'resident servers: ' .. vim.inspect(servers))
first:expect(one.pid == servers[1] and other.pid == servers[1], ('they answer from %d and %d, the server is %d'):format(one.pid, other.pid, servers[1]))
first:expect(other.clients == 2, 'the server has ' .. other.clients .. ' windows, wanted 2')
local of_first, of_second = first:lua('return own_processes()'), second:lua('return own_processes()')
first:expect(#of_first == 1 and #of_second == 1 and of_first[1] ~= of_second[1], 'processes of the windows: ' .. vim.inspect({ of_first, of_second }))
driver.say(('ok: windows %d and %d, server %d'):format(of_first[1], of_second[1], servers[1]))

for _, window in ipairs({ first, second }) do
  window:see_diagnostic()
  local shown = window:type_for_ghost()
  window:keys('<Tab> // more<Esc>') -- keys that are typed ahead come after it
  window:wait('accepted', 10, [[return vim.api.nvim_get_current_line():sub(-#(...)) == ...]], shown .. ' // more')
end
first:keys('ggO// of the first window alone<Esc>')
first:same_text()
second:same_text()

first:close()
second:expect(vim.wait(10000, function() return not is_alive(of_first[1]) end, 20), 'the process of the closed window is still there')
second:wait('alone with the server', 10, [[
  local reply = server():request_sync('r1ls/status', vim.empty_dict(), 5000, 0)
  return reply and reply.result.clients == 1 and reply.result.pid == ...]], servers[1])
second:see_diagnostic()
second:type_for_ghost()
second:keys('<Esc>')
second:same_text()
second:close()
