-- Run by `nvim -l neovim.lua NVIM R1LS PROJECT GHOST`: drives a second, embedded Neovim by typed keys,
-- with the stock client, our plugin, the real server and a real C project. GHOST is 'auto' (Neovim's own
-- inline completion) or 'extmarks' (the plugin's, as below 0.12). One line a step; the first step that
-- fails ends it with exit code 1.
local nvim, r1ls, project, ghost_text = _G.arg[1], _G.arg[2], _G.arg[3], _G.arg[4]
local plugin = vim.fs.normalize(vim.fn.fnamemodify(_G.arg[0], ':p:h') .. '/../../editors/nvim')
local chan = vim.fn.jobstart({ nvim, '--embed', '--headless', '--clean', '-n', '-c', 'set lines=40 columns=100' }, { rpc = true, cwd = project })
local FILE = 'src/table.c'
-- Where bubblewrap cannot work, as in some containers, tests run without it.
local found, run = pcall(vim.system, { 'bwrap', '--unshare-all', '--ro-bind', '/', '/', 'true' })
local sandbox = found and run:wait().code == 0 and 'bwrap' or 'rlimits'

local function say(text) io.stdout:write(text .. '\n') end
local function lua(code, ...) return vim.rpcrequest(chan, 'nvim_exec_lua', code, { ... }) end
local function command(text) vim.rpcrequest(chan, 'nvim_command', text) end
local function keys(text) vim.rpcrequest(chan, 'nvim_input', text) end
local function line() return lua('return vim.api.nvim_get_current_line()') end
local function fail(what)
  say('FAILED: ' .. what)
  say('  line: ' .. vim.inspect(line()) .. ', mode ' .. lua('return vim.api.nvim_get_mode().mode'))
  say('  said: ' .. vim.inspect(lua('return { _G.said, _G.asked }')))
  say('  messages: ' .. lua([[return vim.fn.execute('messages')]]))
  os.exit(1)
end
local function expect(truth, what) if not truth then fail(what) end end
local function wait(what, seconds, code, ...)
  local result
  local arguments = { ... }
  local ok = vim.wait(seconds * 1000, function()
    result = lua(code, unpack(arguments))
    return result and result ~= vim.NIL
  end, 30)
  if not ok then fail('no ' .. what .. ' within ' .. seconds .. ' s') end
  say('ok: ' .. what .. (type(result) == 'string' and ': ' .. result or ''))
  if what == vim.env.STOP_AFTER then os.exit(0) end -- for the clock of first_ghost.sh
  return result
end
local function insert_mode() vim.wait(10000, function() return lua([[return vim.api.nvim_get_mode().mode:find('^i') ~= nil]]) end, 20) end

command('set runtimepath+=' .. plugin)
lua([[
  local r1ls, ghost_text, sandbox = ...
  vim.g.r1ls = { cmd = { r1ls, '--set', 'budgetMs=30000' }, settings = { gate = 0, sandbox = sandbox }, ghost_text = ghost_text }
  -- Notes for the assertions; they are what a user reads.
  _G.said = {}
  vim.notify = function(text) table.insert(_G.said, text) end
  _G.server = function() return vim.lsp.get_clients({ name = 'r1ls', bufnr = 0 })[1] end
  _G.text = function() return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n' end
  _G.ghost = function()
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    for _, ns in pairs(vim.api.nvim_get_namespaces()) do
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })) do
        local text = ''
        for _, chunk in ipairs(mark[4].virt_text or {}) do text = text .. chunk[1] end
        if mark[2] == row and text ~= '' and (mark[4].virt_text[1][2] == 'ComplHint' or mark[4].virt_text[1][2] == 'R1lsGhost') then return text end
      end
    end
  end
]], r1ls, ghost_text, sandbox)
command('runtime plugin/r1ls.lua')
command('edit ' .. FILE)
wait('server attached', 30, [[return server() ~= nil]])
wait('statusline tells the model', 60, [[
  local text = require('r1ls').statusline()
  return not text:find('starting') and text]])

-- Diagnostics: a syntax error is marked, and mending it takes the mark away.
keys([[/struct entry \*next = e->next<CR>0f=C= e->next<Esc>]])
wait('diagnostic', 20, [[return (vim.diagnostic.get(0)[1] or {}).message]])
keys('A;<Esc>')
wait('diagnostic gone', 20, [[return #vim.diagnostic.get(0) == 0]])

-- Completion by the stock client.
keys('otable_fi<C-x><C-o>')
wait('completion list', 20, [[
  for _, item in ipairs(vim.fn.complete_info({ 'items' }).items) do
    if item.word == 'table_find' then return item.word end
  end]])
keys('<C-e><Esc>dd')

-- Ghost text: shown, typed through, accepted; what is accepted is what was shown.
local function type_for_ghost()
  keys([[gg/struct entry \*next = <CR>0f=C=]])
  insert_mode()
  keys(' ')
  return wait('ghost text', 60, 'return ghost()')
end
local whole = '            struct entry *next = '
local shown = type_for_ghost()
keys(shown:sub(1, 1))
wait('typed through', 20, [[return ghost() == ...]], shown:sub(2))
keys('<Tab>')
wait('accepted with Tab', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. shown)
keys('<Esc>u')
wait('undone', 10, [[return vim.api.nvim_get_current_line() ~= ...]], whole .. shown)
keys('<Esc>')
shown = type_for_ghost()
keys('<M-w>')
local word = shown:match('^%s*[%w_]+') or shown:match('^%s*[^%w_%s]+')
wait('accepted a word', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. word)
if ghost_text == 'extmarks' then expect(lua('return ghost()') == shown:sub(#word + 1), 'the rest of the suggestion did not stay') end
keys('<Esc>')
shown = type_for_ghost()
keys('<M-l>')
wait('accepted a line', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. shown)
keys('<Esc>0f=C= e->next;<Esc>')
keys('o<Tab>x<Esc>')
wait('Tab is a Tab elsewhere', 10, [[return vim.api.nvim_get_current_line():find('\t') ~= nil or vim.api.nvim_get_current_line():find('x$') ~= nil]])
keys('dd')

wait('same text on the server', 10, [[
  local reply = server():request_sync('r1ls/documentText', { textDocument = { uri = vim.uri_from_bufnr(0) } }, 5000, 0)
  return reply and reply.result.text == text()]])

-- Actions. vim.ui.select is answered as a user would; the questions are noted.
lua([[
  _G.asked = {}
  _G.answers = {}
  vim.ui.select = function(items, opts, on_choice)
    table.insert(_G.asked, opts.prompt)
    local wanted = table.remove(_G.answers, 1)
    for i, item in ipairs(items) do
      local text = (opts.format_item or tostring)(item)
      if wanted and text:lower():find(wanted) then return on_choice(item, i) end
    end
    on_choice(nil)
  end
]])
keys([[gg/size_t table_longest_chain<CR>]])
wait('place of the action', 10, [[return vim.api.nvim_get_current_line():find('longest_chain') ~= nil]])
local before = lua('return text()')
local function act(...)
  lua('_G.asked, _G.said, _G.answers = {}, {}, { ... }', ...)
  command('R1ls actions')
end
act('body', 'discard')
wait('unverified edit asks', 120, [[return _G.asked[2] and _G.asked[2]:find('not verified') and _G.asked[2] or nil]])
expect(lua('return text()') == before, 'a discarded edit changed the text')
act('body', 'apply')
wait('applied when confirmed', 120, 'return text() ~= ...', before)
keys('u')
wait('undone in one step', 10, 'return text() == ...', before)
command('R1ls trust')
wait('trust reached the server', 10, [[
  local reply = server():request_sync('r1ls/status', vim.empty_dict(), 5000, 0)
  return reply and reply.result.trusted]])
act('body')
wait('verified edit applied at once', 120, [[return text() ~= ... and table.concat(_G.said, ' ')]], before)
expect(lua('return #_G.asked') == 1, 'a verified edit asked for confirmation')
keys('u')
wait('undone in one step', 10, 'return text() == ...', before)

-- A record of the runs so far, as a page.
lua('_G.answers = { ... }', ' body found: ')
command('R1ls audit')
wait('a recorded run as a page', 20, [[
  return vim.api.nvim_buf_get_name(0):find('r1ls://run%-') and vim.api.nvim_buf_get_lines(0, 0, 1, false)[1]:find('^record %d')
    and vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] ]])
command('bwipeout')

-- Lenses: a test that wants what table_init does not do is run, and then debugged. It is thorough
-- enough for the repair to count as verified.
vim.fn.mkdir(project .. '/tests')
vim.fn.writefile({ '#include <assert.h>', '#include <stdint.h>', '#include "table.h"', '', 'static void test_init(void)', '{',
  '    struct table t = {.n_entries = 9};', '    assert(table_init(&t, 4) == 1);',
  '    assert(t.n_buckets == 4 && t.n_entries == 0 && t.buckets && !t.buckets[3]);',
  '    assert(table_init(&t, SIZE_MAX) == -1);', '}', '', 'int main(void)', '{', '    test_init();', '    return 0;', '}' }, project .. '/tests/test_table.c')
vim.fn.writefile({ '', 'test:', '\t$(CC) $(CFLAGS) -o test_table tests/test_table.c src/table.c', '\t./test_table' }, project .. '/Makefile', 'a')
lua([[_G.table_buffer = vim.api.nvim_get_current_buf()]])
command('edit tests/test_table.c')
wait('lenses of a test', 30, [[
  local titles = vim.tbl_map(function(one) return one.lens.command.title end, vim.lsp.codelens.get({ bufnr = 0 }))
  table.sort(titles)
  return #titles == 2 and table.concat(titles, ', ')]])
keys('gg/test_init<CR>')
wait('place of the lens', 10, [[return vim.api.nvim_win_get_cursor(0)[1] == 5]])
lua('_G.said, _G.answers = {}, { ... }', 'run tests')
command('R1ls lens')
wait('a failing test as a diagnostic', 60, [[
  for _, one in ipairs(vim.diagnostic.get(table_buffer)) do if one.code == 'test' then return one.message end end]])
lua('_G.said, _G.answers = {}, { ... }', 'debug')
command('R1ls lens')
wait('the repair', 120, [[
  if vim.api.nvim_get_current_buf() ~= table_buffer then return end
  local at = vim.fn.search('int table_init', 'nw')
  local body = table.concat(vim.api.nvim_buf_get_lines(0, at, at + 8, false), '\n')
  return body:find('return 1') and table.concat(_G.said, ' ')]])
keys('u')
wait('undone in one step', 10, 'return text() == ...', before)

-- A header that includes itself over and over keeps the compiler busy until it is stopped.
vim.fn.writefile({ '#if __INCLUDE_LEVEL__ < 24', '#include "slow.h"', '#include "slow.h"', '#endif' }, project .. '/include/slow.h')
keys([[ggO#include "slow.h"<Esc>/size_t table_longest_chain<CR>]])
wait('long action prepared', 10, [[return vim.api.nvim_get_current_line():find('longest_chain') ~= nil]])
before = lua('return text()')
act('body')
wait('progress', 30, [[return next(server().progress.pending) ~= nil and require('r1ls').statusline()]])
command('R1ls cancel')
wait('cancelled', 20, [[return next(server().progress.pending) == nil and table.concat(_G.said, ' '):find('cancel') ~= nil]])
vim.wait(500)
expect(lua('return text()') == before, 'a cancelled action changed the text')
keys('ggdd')

-- A crash loses no text; the plugin's restart brings the server back with it.
keys('ggO// typed before the crash<Esc>')
lua([[
  _G.old = server().id
  for _, path in ipairs(vim.fn.glob('/proc/[0-9]*/stat', true, true)) do
    local ok, stat = pcall(vim.fn.readfile, path)
    local pid, parent = (ok and stat[1] or ''):match('^(%d+) %(r1ls%) %a (%d+)')
    if tonumber(parent) == vim.uv.os_getpid() then vim.uv.kill(tonumber(pid), 'sigkill') end
  end
]])
wait('server gone', 20, [[return #vim.lsp.get_clients({ name = 'r1ls' }) == 0]])
keys('A and after it<Esc>')
command('R1ls restart')
wait('another server', 30, [[return server() ~= nil and server().id ~= _G.old]])
wait('same text on the new server', 30, [[
  local reply = server():request_sync('r1ls/documentText', { textDocument = { uri = vim.uri_from_bufnr(0) } }, 5000, 0)
  return reply and reply.result and reply.result.text == text() and text():match('^[^\n]*')]])

command('R1ls explain')
wait('explain', 10, [[return _G.said[#_G.said] and _G.said[#_G.said]:find('^r1ls: ') and _G.said[#_G.said] or nil]])
wait('checkhealth finds nothing wrong', 30, [[
  vim.cmd('checkhealth r1ls')
  local report = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
  vim.cmd('bwipeout!')
  return report:find('model ') and not report:find('ERROR') and (report:match('Neovim [^\n]*') or 'ok')]])
command('helptags ' .. plugin .. '/doc')
command('help r1ls-statusline')
os.remove(plugin .. '/doc/tags')
say('ok: help')
vim.fn.jobstop(chan)
