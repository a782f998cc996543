-- Run by `nvim -l neovim.lua NVIM R1LS FILE`: drives a second, embedded Neovim by typed keys, with the
-- stock client, our plugin file, the real server and a real C file. One line a step; the first step
-- that fails ends it with exit code 1.
local nvim, r1ls, file = _G.arg[1], _G.arg[2], _G.arg[3]
local here = vim.fn.fnamemodify(_G.arg[0], ':p:h')
local chan = vim.fn.jobstart({ nvim, '--embed', '--headless', '--clean', '-n' }, { rpc = true })

local function fail(what)
  io.stdout:write('FAILED: ' .. what .. '\n')
  os.exit(1)
end
local function lua(code, ...) return vim.rpcrequest(chan, 'nvim_exec_lua', code, { ... }) end
local function keys(text) vim.rpcrequest(chan, 'nvim_input', text) end
local function wait(what, seconds, code)
  local result
  local ok = vim.wait(seconds * 1000, function()
    result = lua(code)
    return result and result ~= vim.NIL
  end, 50)
  if not ok then fail('no ' .. what .. ' within ' .. seconds .. ' s') end
  io.stdout:write('ok: ' .. what .. (type(result) == 'string' and ': ' .. result or '') .. '\n')
  return result
end

lua([[
  vim.g.r1ls_cmd = { ... }
  vim.g.r1ls_options = { gate = 0 }
]], r1ls)
vim.rpcrequest(chan, 'nvim_command', 'source ' .. here .. '/../../editors/nvim/r1ls.lua')
vim.rpcrequest(chan, 'nvim_command', 'edit ' .. file)
wait('server attached', 30, [[return #vim.lsp.get_clients({ name = 'r1ls', bufnr = 0 }) > 0]])

-- The rest of a line is taken away and a blank typed, as a user would before going on.
keys([[/struct entry \*next = e->next<CR>f=C=]])
wait('insert mode', 10, [[return vim.api.nvim_get_mode().mode == 'i']])
keys(' ')
local ghost = wait('ghost text', 60, [[
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  for _, ns in pairs(vim.api.nvim_get_namespaces()) do
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })) do
      local virt = mark[4].virt_text
      if virt and mark[2] == row then
        local text = ''
        for _, chunk in ipairs(virt) do text = text .. chunk[1] end
        if #text > 0 then return text end
      end
    end
  end
]])
keys('<Tab>')
local line = wait('accepted line', 10, [[
  local line = vim.api.nvim_get_current_line()
  return #line > #'            struct entry *next = ' and line
]])
if line ~= '            struct entry *next = ' .. ghost then fail('accepted another text than was shown') end
keys('<Esc>')

-- A syntax error gives a diagnostic, and mending it takes it away.
keys('0f=C= e->next<Esc>')
wait('diagnostic', 20, [[return (vim.diagnostic.get(0)[1] or {}).message]])
keys('A;<Esc>')
wait('diagnostic gone', 20, [[return #vim.diagnostic.get(0) == 0]])

-- The text is the same on both sides.
wait('same text on the server', 10, [[
  local client = vim.lsp.get_clients({ name = 'r1ls', bufnr = 0 })[1]
  local reply = client:request_sync('r1ls/documentText',
    { textDocument = { uri = vim.uri_from_bufnr(0) } }, 5000, 0)
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n'
  return reply and reply.result.text == text
]])

-- The action writes an empty function's body as one undo step.
keys([[gg/size_t table_longest_chain<CR>]])
local before = lua([[return vim.api.nvim_buf_line_count(0)]])
lua([[
  vim.defer_fn(function()
    vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find('body') ~= nil end })
  end, 0)
]])
wait('body written', 120, 'return vim.api.nvim_buf_line_count(0) > ' .. before)
keys('u')
wait('undone in one step', 10, 'return vim.api.nvim_buf_line_count(0) == ' .. before)
vim.fn.jobstop(chan)
