-- Ghost text. Where Neovim has vim.lsp.inline_completion (0.12), that asks and draws; below, this file
-- does both with extmarks. Accepting is done here for both: what was typed into a suggestion since it
-- came is part of it, and a word or a line of it can be taken.
local M = {}

local METHOD = 'textDocument/inlineCompletion'
local DEBOUNCE_MS = 150
local AUTOMATIC, INVOKED = 2, 1
local namespace = vim.api.nvim_create_namespace('r1ls.ghost')

-- Per buffer, of the own drawing: { client_id, timer, request, item }; item is
-- { text, row, col, end_row, end_col } with columns in bytes.
local states = {}

-- --- where a suggestion stands ---------------------------------------------------------------------

-- What of the suggestion is not typed yet, or nil if something else was typed. Also the place it goes to.
local function rest_of(bufnr, item)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  if vim.api.nvim_get_current_buf() ~= bufnr or row ~= item.row or col < item.col then return nil end
  local typed = vim.api.nvim_buf_get_text(bufnr, row, item.col, row, col, {})[1]
  if item.text:sub(1, #typed) ~= typed then return nil end
  return item.text:sub(#typed + 1), row, col
end

-- The beginning of the text that one key takes.
local function piece_of(text, part)
  if part == 'line' then
    local line = text:match('^\n?[^\n]*')
    return line
  elseif part == 'word' then
    return text:match('^%s*[%w_]+') or text:match('^%s*[^%w_%s]+') or text
  end
  return text
end

-- Puts the piece at the cursor as an undo step of its own and returns what is left.
local function take(bufnr, item, part)
  local rest, row, col = rest_of(bufnr, item)
  if not rest or rest == '' then return nil end
  local piece = piece_of(rest, part)
  -- Only the whole suggestion replaces what it was meant to replace after the cursor.
  local end_row, end_col = row, col
  if piece == rest and (item.end_row > row or (item.end_row == row and item.end_col > col)) then
    end_row, end_col = item.end_row, item.end_col
  end
  vim.cmd('let &undolevels = &undolevels')
  local lines = vim.split(piece, '\n', { plain = true })
  vim.api.nvim_buf_set_text(bufnr, row, col, end_row, end_col, lines)
  local last = #lines
  vim.api.nvim_win_set_cursor(0, { row + last, (last == 1 and col or 0) + #lines[last] })
  return rest:sub(#piece + 1)
end

-- --- the own drawing --------------------------------------------------------------------------------

local function clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1) end
end

local function draw(bufnr)
  clear(bufnr)
  local item = states[bufnr] and states[bufnr].item
  if not item then return end
  local rest, row, col = rest_of(bufnr, item)
  if not rest or rest == '' then
    states[bufnr].item = nil
    return
  end
  local lines = vim.split(rest, '\n', { plain = true })
  local below = {}
  for i = 2, #lines do below[i - 1] = { { lines[i], 'R1lsGhost' } } end
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    virt_text = { { lines[1], 'R1lsGhost' } },
    virt_text_pos = 'inline',
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
  })
end

local function byte_col(client, bufnr, position)
  local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
  if client.offset_encoding == 'utf-8' then return math.min(position.character, #line) end
  return vim.str_byteindex(line, client.offset_encoding, position.character, false)
end

local function on_answer(bufnr, client, result)
  local state = states[bufnr]
  if not state or not vim.api.nvim_get_mode().mode:find('^i') then return end
  local first = result and (result.items or result)[1]
  state.item = nil
  if first then
    local range = first.range
    state.item = {
      text = type(first.insertText) == 'string' and first.insertText or first.insertText.value,
      row = range.start.line,
      col = byte_col(client, bufnr, range.start),
      end_row = range['end'].line,
      end_col = byte_col(client, bufnr, range['end']),
    }
  end
  draw(bufnr)
end

local function ask(bufnr, kind)
  local state = states[bufnr]
  local client = state and vim.lsp.get_client_by_id(state.client_id)
  if not client or vim.api.nvim_get_current_buf() ~= bufnr then return end
  if state.request then client:cancel_request(state.request) end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local _, id = client:request(METHOD, params, function(err, result)
    if not err then on_answer(bufnr, client, result) end
  end, bufnr)
  state.request = id
end

local function stop_timer(state)
  if state.timer and not state.timer:is_closing() then
    state.timer:stop()
    state.timer:close()
  end
  state.timer = nil
end

local function on_typed(bufnr)
  local state = states[bufnr]
  if not state then return end
  draw(bufnr)
  stop_timer(state)
  state.timer = vim.defer_fn(function() ask(bufnr, AUTOMATIC) end, DEBOUNCE_MS)
end

local function stop_drawing(bufnr)
  local state = states[bufnr]
  if not state then return end
  stop_timer(state)
  states[bufnr] = nil
  clear(bufnr)
end

local function start_drawing(bufnr, client)
  stop_drawing(bufnr)
  states[bufnr] = { client_id = client.id }
  vim.api.nvim_set_hl(0, 'R1lsGhost', { link = 'NonText', default = true })
  local group = vim.api.nvim_create_augroup('r1ls.ghost.' .. bufnr, {})
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group, buffer = bufnr, callback = function() on_typed(bufnr) end,
  })
  vim.api.nvim_create_autocmd('InsertLeave', {
    group = group, buffer = bufnr, callback = function()
      local state = states[bufnr]
      if not state then return end
      stop_timer(state)
      state.item = nil
      clear(bufnr)
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    group = group, buffer = bufnr, callback = function() stop_drawing(bufnr) end,
  })
end

-- --- both -------------------------------------------------------------------------------------------

local function has_stock() return vim.lsp.inline_completion ~= nil end

function M.attach(client, bufnr, how)
  if how == 'off' then return end
  if has_stock() and how ~= 'extmarks' then
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  else
    start_drawing(bufnr, client)
  end
end

function M.detach(bufnr) stop_drawing(bufnr) end

function M.is_enabled(bufnr)
  return states[bufnr] ~= nil or (has_stock() and vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }))
end

function M.disable(bufnr)
  stop_drawing(bufnr)
  pcall(vim.api.nvim_del_augroup_by_name, 'r1ls.ghost.' .. bufnr)
  if has_stock() then vim.lsp.inline_completion.enable(false, { bufnr = bufnr }) end
end

-- Asks now, without waiting for a key.
function M.invoke()
  local bufnr = vim.api.nvim_get_current_buf()
  if states[bufnr] then ask(bufnr, INVOKED) end
end

local function stock_item(found)
  local text = found.insert_text
  if type(text) ~= 'string' or not found.range then return nil end
  local row, col, end_row, end_col = found.range:to_extmark()
  return { text = text, row = row, col = col, end_row = end_row, end_col = end_col }
end

-- Takes the suggestion, or its next 'word' or 'line'. False: there is none.
function M.accept(part)
  local bufnr = vim.api.nvim_get_current_buf()
  local state = states[bufnr]
  if state then
    if not state.item or not rest_of(bufnr, state.item) then return false end
    local item = state.item
    local left = take(bufnr, item, part)
    if not left then return false end
    if left == '' then state.item = nil end
    draw(bufnr)
    return true
  end
  if not has_stock() then return false end
  -- The stock client accepts in a later turn of the loop; keys that are typed already must come after it.
  local is_done = false
  local is_there = vim.lsp.inline_completion.get({
    bufnr = bufnr,
    on_accept = function(found)
      is_done = true
      local item = stock_item(found)
      if not item then return found end
      take(bufnr, item, part)
      return nil
    end,
  })
  if is_there then vim.wait(100, function() return is_done end, 1) end
  return is_there
end

return M
