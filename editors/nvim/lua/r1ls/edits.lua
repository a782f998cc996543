-- Code actions of r1ls: chosen by vim.ui.select, worked out by the server, and, where the result is not
-- verified, shown as a diff before it is applied. vim.lsp.buf.code_action() works too; it asks nothing.
local M = {}

local function verdict_of(edit)
  local lines, ask = {}, false
  for _, note in pairs(edit.changeAnnotations or {}) do
    ask = ask or note.needsConfirmation == true
    table.insert(lines, (note.needsConfirmation and 'not verified: ' or '') .. note.label)
  end
  return table.concat(lines, '; '), ask
end

-- The annotations have been read here; the stock client would ask about them once more.
local function strip_annotations(edit)
  edit.changeAnnotations = nil
  for _, change in ipairs(edit.documentChanges or {}) do
    for _, one in ipairs(change.edits or {}) do one.annotationId = nil end
  end
end

-- The documents before and after the edit, without touching them: the edit is applied to scratch copies.
local function diff_of(edit, encoding)
  local parts = {}
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.edits then
      local bufnr = vim.uri_to_bufnr(change.textDocument.uri)
      vim.fn.bufload(bufnr)
      local before = vim.api.nvim_buf_get_lines(bufnr, 0, -1, false)
      local scratch = vim.api.nvim_create_buf(false, true)
      vim.api.nvim_buf_set_lines(scratch, 0, -1, false, before)
      vim.lsp.util.apply_text_edits(change.edits, scratch, encoding)
      local after = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
      vim.api.nvim_buf_delete(scratch, { force = true })
      local diff = (vim.text and vim.text.diff or vim.diff)(table.concat(before, '\n') .. '\n', table.concat(after, '\n') .. '\n')
      local name = vim.fn.fnamemodify(vim.uri_to_fname(change.textDocument.uri), ':.')
      table.insert(parts, '--- ' .. name .. '\n+++ ' .. name .. '\n' .. diff)
    end
  end
  return table.concat(parts, '')
end

-- Above the document: the question below it takes lines from the screen's bottom.
local function show_diff(text)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\n', { plain = true }))
  vim.bo[bufnr].filetype, vim.bo[bufnr].bufhidden, vim.bo[bufnr].modifiable = 'diff', 'wipe', false
  local height = math.min(vim.api.nvim_buf_line_count(bufnr), math.floor(vim.o.lines / 2))
  return vim.api.nvim_open_win(bufnr, false, { split = 'above', height = height, style = 'minimal' })
end

local function versions_hold(edit)
  for _, change in ipairs(edit.documentChanges or {}) do
    local document = change.textDocument
    if document and type(document.version) == 'number' then
      local bufnr = vim.uri_to_bufnr(document.uri)
      if vim.lsp.util.buf_versions[bufnr] ~= document.version then return false end
    end
  end
  return true
end

local function apply(client, edit, verdict)
  if not versions_hold(edit) then
    vim.notify('r1ls: the text has changed since, so the edit was not applied.', vim.log.levels.WARN)
    return false
  end
  -- An undo step of its own, also right after an insertion.
  vim.cmd('let &undolevels = &undolevels')
  vim.lsp.util.apply_workspace_edit(edit, client.offset_encoding)
  if verdict ~= '' then vim.notify('r1ls: ' .. verdict) end
  return true
end

-- False where it could not be applied; an edit that the user is asked about counts as applied.
function M.offer(client, edit)
  local verdict, ask = verdict_of(edit)
  strip_annotations(edit)
  if not ask then return apply(client, edit, verdict) end
  local window = show_diff(diff_of(edit, client.offset_encoding))
  vim.cmd.redraw()
  vim.ui.select({ 'Apply', 'Discard' }, { prompt = verdict }, function(choice)
    if vim.api.nvim_win_is_valid(window) then vim.api.nvim_win_close(window, true) end
    if choice == 'Apply' then apply(client, edit, '') end
  end)
  return true
end

local function work_out(client, bufnr, action)
  local function finish(result)
    if result.edit then M.offer(client, result.edit) end
    local command = type(result.command) == 'table' and result.command
    if command then client:exec_cmd(command, { bufnr = bufnr }) end
  end
  if action.edit or not action.data then return finish(action) end
  client:request('codeAction/resolve', action, function(err, result)
    if err then
      local content_modified = err.code == -32801 -- the user's own doing
      local level = content_modified and vim.log.levels.INFO or vim.log.levels.ERROR
      vim.notify('r1ls: ' .. err.message, level)
    elseif result then
      finish(result)
    end
  end, bufnr)
end

-- opts.kind limits the kinds ('refactor.rewrite'), opts.pick chooses without asking: pick(actions).
function M.actions(client, opts)
  local bufnr = vim.api.nvim_get_current_buf()
  local visual = vim.api.nvim_get_mode().mode:find('^[vV\22]') ~= nil
  local params = visual and vim.lsp.util.make_given_range_params(nil, nil, bufnr, client.offset_encoding)
    or vim.lsp.util.make_range_params(0, client.offset_encoding)
  params.context = { diagnostics = {}, triggerKind = 1, only = opts.kind and { opts.kind } or nil }
  for _, one in ipairs(vim.diagnostic.get(bufnr, { lnum = params.range.start.line })) do
    local sent = one.user_data and one.user_data.lsp
    if sent then table.insert(params.context.diagnostics, sent) end
  end
  client:request('textDocument/codeAction', params, function(err, actions)
    if err then return vim.notify('r1ls: ' .. err.message, vim.log.levels.ERROR) end
    if not actions or #actions == 0 then return vim.notify('r1ls: nothing to do here') end
    if opts.pick then
      local action = opts.pick(actions)
      return action and work_out(client, bufnr, action)
    end
    vim.ui.select(actions, { prompt = 'r1ls', kind = 'codeaction', format_item = function(action) return action.title end },
      function(action) return action and work_out(client, bufnr, action) end)
  end, bufnr)
end

return M
