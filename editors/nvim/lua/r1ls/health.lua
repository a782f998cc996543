-- :checkhealth r1ls
local M = {}

local function check_program(cmd)
  local path = vim.fn.exepath(cmd[1])
  if path == '' then
    vim.health.error(("'%s' is not an executable"):format(cmd[1]), { 'Put r1ls on the PATH, or set vim.g.r1ls = { cmd = { "/path/to/r1ls" } }' })
    return
  end
  local run = vim.system({ path, '--version' }, { text = true }):wait(10000)
  if run.code ~= 0 then
    vim.health.error(('%s --version ended with %d: %s'):format(path, run.code, vim.trim(run.stderr or '')))
    return
  end
  vim.health.ok(('%s: %s'):format(path, vim.trim(run.stdout)))
end

local function check_client(client)
  vim.health.ok(('client %d, root %s, positions in %s'):format(client.id, client.root_dir or 'none', client.offset_encoding))
  local reply = client:request_sync('r1ls/status', vim.empty_dict(), 5000, 0)
  local state = reply and reply.result
  if not state then
    vim.health.error('the server does not answer r1ls/status within 5 s')
  elseif state.engine == 'failed' then
    vim.health.error('the model could not be opened: ' .. (state.error or '?'))
  elseif state.engine == 'loading' then
    vim.health.info('the model is being opened')
  else
    local model = state.model
    vim.health.ok(('model %s (%s, %s), %d threads, %s, %.0f MB in memory'):format(
      model.name, model.architecture, model.quantisation, model.threads, model.isa, state.residentBytes / 1e6))
  end
  if state then vim.health.info(state.trusted and 'trusted: candidates are compiled' or 'not trusted: candidates are parsed only; :R1ls trust') end
end

function M.check()
  vim.health.start('r1ls: Neovim')
  if vim.fn.has('nvim-0.11') == 0 then
    vim.health.error('Neovim 0.11 or later is needed; this is ' .. tostring(vim.version()))
    return
  end
  vim.health.ok(('Neovim %s, ghost text by %s'):format(tostring(vim.version()),
    vim.lsp.inline_completion and 'vim.lsp.inline_completion' or 'extmarks'))
  local options = require('r1ls.options')
  vim.health.start('r1ls: options')
  local problems = options.problems()
  for _, text in ipairs(problems) do vim.health.error(text) end
  if #problems == 0 then vim.health.ok('vim.g.r1ls is in order') end
  vim.health.start('r1ls: program')
  check_program(options.cmd())
  vim.health.start('r1ls: server')
  local clients = vim.lsp.get_clients({ name = 'r1ls' })
  if #clients == 0 then vim.health.warn('no server runs; open a file of a language it knows') end
  for _, client in ipairs(clients) do check_client(client) end
end

return M
