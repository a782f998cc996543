-- What the scripts beside this one share: `nvim -l SCRIPT.lua NVIM R1LS PROJECT [GHOST]` drives Neovims of
-- their own, embedded, by typed keys, with the stock client, our plugin, the real server and a real C
-- project. GHOST is 'auto' (Neovim's own inline completion, the default) or 'extmarks' (the plugin's, as below 0.12).
-- One line a step; the first step that fails ends it with exit code 1.
local M = { nvim = _G.arg[1], r1ls = _G.arg[2], project = _G.arg[3], ghost_text = _G.arg[4] or 'auto' }
M.here = vim.fs.normalize(vim.fn.fnamemodify(_G.arg[0], ':p:h'))
local plugin = vim.fs.normalize(M.here .. '/../../../editors/nvim')
-- Where bubblewrap cannot work, as in some containers, tests run without it.
local found, run = pcall(vim.system, { 'bwrap', '--unshare-all', '--ro-bind', '/', '/', 'true' })
local sandbox = found and run:wait().code == 0 and 'bwrap' or 'rlimits'

function M.say(text) io.stdout:write(text .. '\n') end

local Window = {}
Window.__index = Window

function Window:lua(code, ...) return vim.rpcrequest(self.chan, 'nvim_exec_lua', code, { ... }) end
function Window:command(text) vim.rpcrequest(self.chan, 'nvim_command', text) end
function Window:keys(text) vim.rpcrequest(self.chan, 'nvim_input', text) end

function Window:fail(what)
  M.say('FAILED: ' .. self.name .. what)
  M.say('  line: ' .. vim.inspect(self:lua('return vim.api.nvim_get_current_line()')) .. ', mode ' .. self:lua('return vim.api.nvim_get_mode().mode'))
  M.say('  said: ' .. vim.inspect(self:lua('return { _G.said, _G.asked }')))
  M.say('  messages: ' .. self:lua([[return vim.fn.execute('messages')]]))
  os.exit(1)
end

function Window:expect(truth, what) if not truth then self:fail(what) end end

-- Repeats the code until it gives something true, which is returned.
function Window:wait(what, seconds, code, ...)
  local result
  local arguments = { ... }
  local ok = vim.wait(seconds * 1000, function()
    result = self:lua(code, unpack(arguments))
    return result and result ~= vim.NIL
  end, 30)
  if not ok then self:fail('no ' .. what .. ' within ' .. seconds .. ' s') end
  M.say('ok: ' .. self.name .. what .. (type(result) == 'string' and ': ' .. result or ''))
  if what == vim.env.STOP_AFTER then os.exit(0) end -- for the clock of first_ghost.sh
  return result
end

-- Puts the cursor behind the sign of an assignment and types a blank there; returns what is suggested.
function Window:type_for_ghost()
  self:keys([[gg/struct entry \*next = <CR>0f=C=]])
  vim.wait(10000, function() return self:lua([[return vim.api.nvim_get_mode().mode:find('^i') ~= nil]]) end, 20)
  self:keys(' ')
  return self:wait('ghost text', 60, 'return ghost()')
end

-- A syntax error is marked, and mending it takes the mark away.
function Window:see_diagnostic()
  self:keys([[gg/struct entry \*next = e->next<CR>0f=C= e->next<Esc>]])
  self:wait('diagnostic', 20, [[return (vim.diagnostic.get(0)[1] or {}).message]])
  self:keys('A;<Esc>')
  self:wait('diagnostic gone', 20, [[return #vim.diagnostic.get(0) == 0]])
end

-- The answer of the server to a request of ours.
function Window:ask(method, params)
  return self:lua([[
    local reply = server():request_sync(..., select(2, ...), 5000, 0)
    return reply and reply.result]], method, params or vim.empty_dict())
end

-- The next questions of vim.ui.select are answered as a user would, by the first item that contains the text.
function Window:answer(...) self:lua('_G.asked, _G.said, _G.answers = {}, {}, { ... }', ...) end

function Window:act(...)
  self:answer(...)
  self:command('R1ls actions')
end

function Window:same_text()
  self:wait('same text on the server', 30, [[
    local reply = server():request_sync('r1ls/documentText', { textDocument = { uri = vim.uri_from_bufnr(0) } }, 5000, 0)
    return reply and reply.result and reply.result.text == text()]])
end

function Window:close()
  vim.rpcnotify(self.chan, 'nvim_command', 'qall!')
  vim.fn.jobwait({ self.chan }, 10000)
end

-- A Neovim of its own in the project, its server attached and the model ready. `name` begins its lines.
function M.open(name)
  local chan = vim.fn.jobstart({ M.nvim, '--embed', '--headless', '--clean', '-n', '-c', 'set lines=40 columns=100' }, { rpc = true, cwd = M.project })
  local window = setmetatable({ chan = chan, name = name and name .. ': ' or '' }, Window)
  window:command('set runtimepath+=' .. plugin)
  window:lua([[
    local r1ls, ghost_text, sandbox = ...
    vim.g.r1ls = { cmd = { r1ls, '--set', 'budgetMs=30000' }, settings = { gate = 0, sandbox = sandbox, nextEdit = true }, ghost_text = ghost_text }
    -- Notes for the assertions; they are what a user reads.
    _G.said, _G.asked, _G.answers = {}, {}, {}
    vim.notify = function(text) table.insert(_G.said, text) end
    vim.ui.select = function(items, opts, on_choice)
      table.insert(_G.asked, opts.prompt)
      local wanted = table.remove(_G.answers, 1)
      for i, item in ipairs(items) do
        local text = (opts.format_item or tostring)(item)
        if wanted and text:lower():find(wanted) then return on_choice(item, i) end
      end
      on_choice(nil)
    end
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
    -- The processes of r1ls that this Neovim started: one a window, which hands on to the shared server.
    _G.own_processes = function()
      local own = {}
      for _, path in ipairs(vim.fn.glob('/proc/[0-9]*/stat', true, true)) do
        local ok, stat = pcall(vim.fn.readfile, path)
        local pid, state, parent = (ok and stat[1] or ''):match('^(%d+) %(r1ls%) (%a) (%d+)')
        if state ~= 'Z' and tonumber(parent) == vim.uv.os_getpid() then table.insert(own, tonumber(pid)) end
      end
      return own
    end
  ]], M.r1ls, M.ghost_text, sandbox)
  window:command('runtime plugin/r1ls.lua')
  window:command('edit src/table.c')
  window:wait('server attached', 30, [[return server() ~= nil]])
  window:wait('statusline tells the model', 60, [[
    local text = require('r1ls').statusline()
    return not text:find('starting') and text]])
  return window
end

return M
