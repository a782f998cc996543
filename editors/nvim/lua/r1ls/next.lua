-- The next edit (textDocument/inlineEdit): the first call goes to its place and shows it, a second one there
-- applies it. The server offers none unless the setting nextEdit is on.
local M = {}
local namespace = vim.api.nvim_create_namespace('r1ls-next')

local function clear(bufnr) vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1) end

local function position_of(client, bufnr, place)
  local line = vim.api.nvim_buf_get_lines(bufnr, place.line, place.line + 1, false)[1] or ''
  return { place.line + 1, math.min(#line, vim.str_byteindex(line, client.offset_encoding, place.character, false)) }
end

local function show(bufnr, row, edit)
  clear(bufnr)
  local text = edit.text:gsub('\n', ' ')
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, {
    virt_text = { { ' -> ' .. (text == '' and '(removed)' or text), 'Comment' } }, virt_text_pos = 'eol',
  })
  vim.api.nvim_create_autocmd({ 'TextChanged', 'InsertEnter', 'BufLeave' }, {
    buffer = bufnr, once = true, callback = function() clear(bufnr) end,
  })
end

-- done(edit), where given, is told what was applied.
function M.go(client, done)
  local bufnr = vim.api.nvim_get_current_buf()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.textDocument.version = vim.lsp.util.buf_versions[bufnr]
  client:request('textDocument/inlineEdit', params, function(err, result)
    if err then return err.code ~= -32800 and vim.notify('r1ls: ' .. err.message, vim.log.levels.ERROR) end
    if not result then return vim.notify('r1ls: the setting nextEdit is off') end
    local edit = result.edits[1]
    if not edit then return vim.notify('r1ls: nothing to change next') end
    if edit.textDocument.version ~= vim.lsp.util.buf_versions[bufnr] or bufnr ~= vim.api.nvim_get_current_buf() then return end
    local place = position_of(client, bufnr, edit.range.start)
    local here = vim.api.nvim_win_get_cursor(0)
    if here[1] ~= place[1] or here[2] ~= math.min(place[2], math.max(0, #vim.api.nvim_get_current_line() - 1)) then
      vim.cmd("normal! m'")
      vim.api.nvim_win_set_cursor(0, place)
      show(bufnr, place[1] - 1, edit)
      return client:notify('textDocument/didShowInlineEdit', { item = { command = edit.command } })
    end
    clear(bufnr)
    vim.cmd('let &undolevels = &undolevels')
    vim.lsp.util.apply_text_edits({ { range = edit.range, newText = edit.text } }, bufnr, client.offset_encoding)
    client:exec_cmd(edit.command, { bufnr = bufnr })
    if done then done(edit) end
  end, bufnr)
end

return M
