-- The server as its user meets it: a crash, a restart, what it says about itself, and its models. See driver.lua;
-- the model that is fetched comes from model_server.py.
local driver = dofile(vim.fn.fnamemodify(_G.arg[0], ':p:h') .. '/driver.lua')
local window = driver.open()

-- A crash loses no text; the plugin's restart brings the server back with it.
window:keys('ggO// typed before the crash<Esc>')
window:same_text()
window:lua([[
  local reply = server():request_sync('r1ls/status', vim.empty_dict(), 5000, 0)
  _G.old = { id = server().id, pid = reply.result.pid }
  vim.uv.kill(old.pid, 'sigkill')]])
window:wait('server gone', 20, [[return #vim.lsp.get_clients({ name = 'r1ls' }) == 0]])
window:keys('A and after it<Esc>')
window:command('R1ls restart')
window:wait('another server', 30, [[return server() ~= nil and server().id ~= old.id]])
window:same_text()
window:expect(window:lua([[return vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] ]]) == '// typed before the crash and after it', 'the text of before the crash is lost')
window:expect(window:ask('r1ls/status').pid ~= window:lua('return old.pid'), 'the killed server answers')

window:command('R1ls explain')
window:wait('explain', 10, [[return _G.said[#_G.said] and _G.said[#_G.said]:find('^r1ls: ') and _G.said[#_G.said] or nil]])
window:command('R1ls status')
window:wait('status', 10, [[return _G.said[#_G.said]:find('engine = ') ~= nil]])
window:wait('checkhealth finds nothing wrong', 30, [[
  vim.cmd('checkhealth r1ls')
  local report = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
  vim.cmd('bwipeout!')
  return report:find('model ') and not report:find('ERROR') and (report:match('Neovim [^\n]*') or 'ok')]])
window:command('R1ls log')
window:wait('the log', 10, [[return vim.api.nvim_buf_get_name(0):find('lsp%.log$') ~= nil]])
window:command('bwipeout!')

-- Fetching: the program's own bar in a terminal window.
local work = vim.fn.tempname()
vim.fn.mkdir(work, 'p')
local said = ''
local http = vim.fn.jobstart({ 'python3', driver.here .. '/../model_server.py', driver.r1ls, work }, { on_stdout = function(_, lines) said = said .. table.concat(lines, '\n') end })
window:expect(vim.wait(30000, function() return said:find('}') ~= nil end, 30), 'model_server.py did not start')
local model = vim.json.decode(said)
local folder = vim.env.XDG_CACHE_HOME .. '/r1ls/models'
local function names() return table.concat(vim.fn.readdir(folder), ' ') end
local in_terminal = [[
  local all = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '')
  return vim.bo.buftype == 'terminal' and all:find((...), 1, true) and vim.trim(all)]]

window:command(('R1ls pull %s %s'):format(model.url, ('0'):rep(64)))
vim.fn.chansend(http, '\n')
window:wait('a wrong checksum is refused', 30, in_terminal, 'it was removed')
window:expect(names() == '', 'a refused file left ' .. names())
window:command('bwipeout!')
window:command(('R1ls pull %s %s'):format(model.url, model.sha256))
window:wait('half of it, on the bar', 30, in_terminal, '50% of ')
window:expect(names() == 'tiny.gguf.part', 'before its checksum is known it is there as ' .. names())
vim.fn.chansend(http, '\n')
window:wait('the file is fetched', 30, in_terminal, model.sha256)
window:expect(names() == 'tiny.gguf', 'the folder of models has ' .. names())
local sum = vim.fn.sha256(vim.fn.readblob(folder .. '/tiny.gguf'))
window:expect(sum == model.sha256, 'the file has another checksum: ' .. sum)
window:command('bwipeout!')
vim.fn.jobstop(http)
vim.fn.delete(work, 'rf')

window:answer('tiny')
window:command('R1ls model')
window:wait('another model chosen', 60, [[return require('r1ls').statusline():find('tiny') and require('r1ls').statusline()]])
window:answer('embedded')
window:command('R1ls model')
window:wait('and the embedded one again', 60, [[return require('r1ls').statusline():find('mini') and require('r1ls').statusline()]])
window:close()
