-- r1ls in Neovim: what :R1ls and the key maps call. The server decides; see :h r1ls.
local edits = require('r1ls.edits')
local ghost = require('r1ls.ghost')
local options = require('r1ls.options')

local M = {}
local status -- the last answer of r1ls/status

local function client_here()
  local client = vim.lsp.get_clients({ name = 'r1ls', bufnr = 0 })[1] or vim.lsp.get_clients({ name = 'r1ls' })[1]
  if not client then vim.notify('r1ls: no server is attached to this buffer; :checkhealth r1ls', vim.log.levels.WARN) end
  return client
end

-- --- state ------------------------------------------------------------------------------------------

local function refresh(client)
  client:request('r1ls/status', vim.empty_dict(), function(_, result)
    if not result then return end
    status = result
    vim.cmd.redrawstatus()
    if result.engine == 'loading' then vim.defer_fn(function() if not client:is_stopped() then refresh(client) end end, 1000) end
  end)
end

local function work_in_progress(client)
  local texts = {}
  for token in pairs(client.progress.pending or {}) do table.insert(texts, token) end
  return texts
end

local progress_text = {} -- by token

-- A text for the statusline: the model, what is being done, or why nothing was suggested.
function M.statusline()
  local client = vim.lsp.get_clients({ name = 'r1ls', bufnr = 0 })[1]
  if not client then return '' end
  local _, text = next(progress_text)
  if text then return 'r1ls: ' .. text end
  if not status or status.engine == 'loading' then return 'r1ls: starting' end
  if status.engine == 'failed' then return 'r1ls: failed' end
  local why = (status.lastSuggestions or {})[vim.uri_from_bufnr(0)]
  local name = status.model and status.model.name or 'ready'
  return 'r1ls: ' .. name .. (why and not why:find('^suggestion') and ' (' .. why .. ')' or '')
end

-- --- ghost text -------------------------------------------------------------------------------------

M.accept = function() return ghost.accept('all') end
M.accept_word = function() return ghost.accept('word') end
M.accept_line = function() return ghost.accept('line') end

-- What the key does without us: a global map (the stock one of <Tab> jumps in snippets), or itself. It goes
-- before the keys that are typed already.
local function pass_on(key)
  local other = vim.iter(vim.api.nvim_get_keymap('i')):find(function(one) return vim.keycode(one.lhs) == vim.keycode(key) end)
  if not other then return vim.api.nvim_feedkeys(vim.keycode(key), 'in', false) end
  local text = other.rhs
  if other.callback then text = other.callback() elseif other.expr == 1 then text = vim.api.nvim_eval(text) end
  if other.callback and other.expr == 0 then return end
  vim.api.nvim_feedkeys(vim.keycode(text or ''), other.noremap == 1 and 'in' or 'im', false)
end

local function map(bufnr, key, accept, text)
  vim.keymap.set('i', key, function() if not accept() then pass_on(key) end end, { buffer = bufnr, desc = 'r1ls: ' .. text })
end

-- --- commands ---------------------------------------------------------------------------------------

function M.actions(opts)
  local client = client_here()
  if client then edits.actions(client, opts or {}) end
end

-- Ends what the server is doing; nothing has changed then.
function M.cancel()
  local client = client_here()
  if not client then return end
  local tokens = work_in_progress(client)
  for _, token in ipairs(tokens) do client:notify('window/workDoneProgress/cancel', { token = token }) end
  -- The stock client keeps the server's answer to a cancelled request to itself.
  vim.notify(#tokens == 0 and 'r1ls: nothing is being done' or 'r1ls: cancelled, nothing was changed')
end

function M.explain()
  local client = client_here()
  if not client then return end
  client:request('r1ls/explain', { textDocument = { uri = vim.uri_from_bufnr(0) } }, function(err, result)
    if err then return vim.notify('r1ls: ' .. err.message, vim.log.levels.ERROR) end
    if not result then return vim.notify('r1ls: no suggestion was asked for in this buffer yet') end
    local ms = result.ms
    vim.notify(('r1ls: %s (%d prompt tokens, %d reused, %d written, probability %.2f, %.0f ms)'):format(
      result.why, result.promptTokens, result.reusedTokens, result.generatedTokens, result.lineProbability, ms.total))
  end)
end

function M.status()
  vim.notify(status and vim.inspect(status) or 'r1ls: the server has not told its state yet')
end

function M.restart()
  vim.lsp.enable('r1ls', false)
  local function again()
    if #vim.lsp.get_clients({ name = 'r1ls' }) > 0 then return vim.defer_fn(again, 50) end
    vim.lsp.config('r1ls', { cmd = options.cmd(), init_options = options.settings(), settings = { r1ls = options.settings() } })
    vim.lsp.enable('r1ls')
  end
  for _, client in ipairs(vim.lsp.get_clients({ name = 'r1ls' })) do client:stop(2000) end
  vim.defer_fn(again, 50)
end

-- The server remembers it for the folder; vim.g.r1ls.trusted = true is for all.
function M.trust(word)
  local client = client_here()
  if not client then return end
  if word and word ~= 'on' and word ~= 'off' then return vim.notify('r1ls: trust ' .. word .. ', wanted on or off', vim.log.levels.ERROR) end
  client:request('r1ls/trust', { trusted = word ~= 'off', textDocument = { uri = vim.uri_from_bufnr(0) } }, function(err, result)
    if err then return vim.notify('r1ls: ' .. err.message, vim.log.levels.ERROR) end
    vim.notify(('r1ls: what is generated in %s is %s'):format(result.folder, result.trusted and 'compiled and tested' or 'parsed only'))
    refresh(client)
  end)
end

function M.toggle()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_here()
  if ghost.is_enabled(bufnr) then
    ghost.disable(bufnr)
  elseif client then
    ghost.attach(client, bufnr, options.get().ghost_text == 'extmarks' and 'extmarks' or 'auto')
  end
end

local function model_names()
  local cache = vim.env.XDG_CACHE_HOME or vim.fn.expand('~/.cache')
  local names = { 'embedded' }
  for _, path in ipairs(vim.fn.glob(cache .. '/r1ls/models/*.gguf', true, true)) do
    table.insert(names, vim.fn.fnamemodify(path, ':t:r'))
  end
  return names, cache .. '/r1ls/models/'
end

function M.model(name)
  local names, folder = model_names()
  local function use(chosen)
    if not chosen then return end
    local all = vim.g.r1ls or {}
    local path = chosen == 'embedded' and '' or (chosen:find('/') and chosen or folder .. chosen .. '.gguf')
    all.settings = vim.tbl_extend('force', all.settings or {}, { model = path })
    vim.g.r1ls = all
    M.restart()
  end
  if name then use(name) else vim.ui.select(names, { prompt = 'r1ls: model' }, use) end
end

-- What the lens on the cursor's line offers; two of them are asked about.
function M.lens()
  if not client_here() then return end
  if not options.get().code_lens then return vim.notify('r1ls: code_lens is off in vim.g.r1ls') end
  vim.lsp.codelens.run()
end

function M.next()
  local client = client_here()
  if client then require('r1ls.next').go(client) end
end

-- Finds the place in what a test, a compiler or a sanitizer printed, and starts the repair there.
function M.output(register)
  local client = client_here()
  if not client then return end
  local text = vim.fn.getreg(register or '"')
  if vim.trim(text) == '' then return vim.notify(('r1ls: register %s is empty; yank an output first'):format(register or '"'), vim.log.levels.WARN) end
  client:exec_cmd({ title = 'output', command = 'r1ls.debugOutput', arguments = { { output = text } } }, { bufnr = 0 }, function(err)
    if err then vim.notify('r1ls: ' .. err.message, vim.log.levels.ERROR) end
  end)
end

-- Runs the program to its end; done(stdout) only if it went well.
local function run_program(args, done)
  vim.system({ options.cmd()[1], unpack(args) }, { text = true }, vim.schedule_wrap(function(run)
    if run.code == 0 then return done(run.stdout) end
    vim.notify('r1ls: ' .. vim.trim(run.stderr), vim.log.levels.ERROR)
  end))
end

local function show_page(name, text)
  vim.cmd('botright new')
  local bufnr = vim.api.nvim_get_current_buf()
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(vim.trim(text), '\n', { plain = true }))
  vim.bo[bufnr].buftype, vim.bo[bufnr].bufhidden, vim.bo[bufnr].modifiable = 'nofile', 'wipe', false
  pcall(vim.api.nvim_buf_set_name, bufnr, 'r1ls://' .. name)
end

local function show_record(number)
  run_program({ 'audit', 'show', tostring(number) }, function(text) show_page('run-' .. number, text) end)
end

local function choose_record()
  run_program({ 'audit', 'list', '--json' }, function(text)
    local rows = vim.iter(vim.json.decode(text)):filter(function(row) return not row.error end):rev():totable()
    if #rows == 0 then return vim.notify('r1ls: no run has been recorded yet') end
    local function line(row) return ('%d  %s  %s %s: %s'):format(row.record, os.date('%Y-%m-%d %H:%M', row.time), row.task, row.outcome, row.file) end
    vim.ui.select(rows, { prompt = 'r1ls: recorded runs', format_item = line }, function(row) return row and show_record(row.record) end)
  end)
end

-- A terminal window shows the program's own bars and questions.
local function in_terminal(...)
  local command = { options.cmd()[1], ... }
  vim.cmd('botright new')
  vim.fn.jobstart(command, { term = true })
end

M.commands = {
  accept = M.accept, actions = M.actions, cancel = M.cancel, explain = M.explain, model = M.model, restart = M.restart,
  status = M.status, toggle = M.toggle, trust = M.trust,
  audit = function(word, ...)
    if not word then return choose_record() end
    if word:find('^%d+$') then return show_record(word) end
    in_terminal('audit', word, ...)
  end,
  lens = M.lens,
  next = M.next,
  output = M.output,
  log = function() vim.cmd.edit(vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()) end,
  -- There is no catalogue: an address, and the checksum that its publisher gives.
  pull = function(url, sha256)
    if not url or not sha256 then return vim.notify('r1ls: pull {url} {sha256}: the address of a GGUF file and its SHA-256', vim.log.levels.ERROR) end
    in_terminal('model', 'pull', url, '--sha256', sha256)
  end,
}

-- --- attaching --------------------------------------------------------------------------------------

-- The stock client keeps lenses fresh by itself from 0.12 on.
local function attach_lens(client, bufnr)
  if not client:supports_method('textDocument/codeLens', bufnr) then return end
  if vim.lsp.codelens.enable then return vim.lsp.codelens.enable(true, { bufnr = bufnr }) end
  local function refresh_lens() vim.lsp.codelens.refresh({ bufnr = bufnr }) end
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'BufWritePost' }, { buffer = bufnr, group = vim.api.nvim_create_augroup('r1ls-lens-' .. bufnr, {}), callback = refresh_lens })
  refresh_lens()
end

local function attach(client, bufnr)
  local chosen = options.get()
  ghost.attach(client, bufnr, chosen.ghost_text)
  if chosen.completion and vim.lsp.completion then vim.lsp.completion.enable(true, client.id, bufnr, { autotrigger = false }) end
  if chosen.keymaps and chosen.ghost_text ~= 'off' then
    map(bufnr, '<Tab>', M.accept, 'accept the suggestion')
    map(bufnr, '<M-w>', M.accept_word, 'accept the next word')
    map(bufnr, '<M-l>', M.accept_line, 'accept the next line')
  end
  if chosen.code_lens then attach_lens(client, bufnr) end
  refresh(client)
end

local function is_ours(id)
  local client = vim.lsp.get_client_by_id(id)
  return client and client.name == 'r1ls' and client or nil
end

-- Called once, by plugin/r1ls.lua.
function M.start()
  local group = vim.api.nvim_create_augroup('r1ls', {})
  local function on(event, run)
    vim.api.nvim_create_autocmd(event, { group = group, callback = function(args)
      local client = is_ours(args.data.client_id)
      if client then run(client, args) end
    end })
  end
  on('LspAttach', function(client, args) attach(client, args.buf) end)
  on('LspDetach', function(_, args) ghost.detach(args.buf) end)
  on('LspProgress', function(_, args)
    local token, value = args.data.params.token, args.data.params.value
    progress_text[token] = value.kind ~= 'end' and ((value.message or value.title or 'working') .. (value.percentage and (' %d%%'):format(value.percentage) or '')) or nil
    vim.cmd.redrawstatus()
  end)
  on('LspRequest', function(client, args)
    local request = args.data.request
    if request.method == 'textDocument/inlineCompletion' and request.type == 'complete' then
      vim.schedule(function() if not client:is_stopped() then refresh(client) end end)
    end
  end)
  vim.lsp.enable('r1ls')
end

return M
