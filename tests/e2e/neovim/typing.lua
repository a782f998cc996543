-- What comes while one types: diagnostics, completion, and ghost text shown, typed through and accepted by
-- whole, word and line. See driver.lua.
local driver = dofile(vim.fn.fnamemodify(_G.arg[0], ':p:h') .. '/driver.lua')
local window = driver.open()

window:see_diagnostic()

-- Completion by the stock client.
window:keys('otable_fi<C-x><C-o>')
window:wait('completion list', 20, [[
  for _, item in ipairs(vim.fn.complete_info({ 'items' }).items) do
    if item.word == 'table_find' then return item.word end
  end]])
window:keys('<C-e><Esc>dd')

-- What is accepted is what was shown.
local whole = '            struct entry *next = '
local shown = window:type_for_ghost()
window:keys(shown:sub(1, 1))
window:wait('typed through', 20, [[return ghost() == ...]], shown:sub(2))
window:keys('<Tab>')
window:wait('accepted with Tab', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. shown)
window:keys('<Esc>u')
window:wait('undone', 10, [[return vim.api.nvim_get_current_line() ~= ...]], whole .. shown)
window:keys('<Esc>')
shown = window:type_for_ghost()
window:keys('<M-w>')
local word = shown:match('^%s*[%w_]+') or shown:match('^%s*[^%w_%s]+')
window:wait('accepted a word', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. word)
if driver.ghost_text == 'extmarks' then window:expect(window:lua('return ghost()') == shown:sub(#word + 1), 'the rest of the suggestion did not stay') end
window:keys('<Esc>')
shown = window:type_for_ghost()
window:keys('<M-l>')
window:wait('accepted a line', 10, [[return vim.api.nvim_get_current_line() == ...]], whole .. shown)
window:keys('<Esc>0f=C= e->next;<Esc>')
window:keys('o<Tab>x<Esc>')
window:wait('Tab is a Tab elsewhere', 10, [[return vim.api.nvim_get_current_line():find('\tx$') ~= nil]])
window:keys('ddo')
window:lua([[vim.snippet.expand('f(${1:a}, ${2:b})')]])
window:keys('<Tab>')
window:wait('and jumps in a snippet', 10, [[return vim.api.nvim_win_get_cursor(0)[2] == #vim.api.nvim_get_current_line() - 2 and vim.api.nvim_get_current_line()]])
window:lua([[vim.snippet.stop()]])
window:keys('<Esc><Esc>dd')
window:same_text()

-- Off and on again.
local is_on = [[return require('r1ls.ghost').is_enabled(vim.api.nvim_get_current_buf())]]
window:command('R1ls toggle')
window:expect(not window:lua(is_on), 'ghost text was not switched off')
window:command('R1ls toggle')
window:wait('switched off and on', 5, is_on)
window:type_for_ghost()

-- The next edit is gone to and shown by the first call, made by the second.
window:keys('<Esc>')
window:command('edit!')
window:keys('gg/hash_key(<CR>f_lcename<Esc>')
window:wait('a name changed', 10, [[return vim.api.nvim_get_current_line():find('hash_name', 1, true) ~= nil]])
local changed = window:lua('return text()')
window:command('R1ls next')
window:wait('the next edit shown', 20, [[
  local marks = vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_get_namespaces()['r1ls-next'], 0, -1, { details = true })
  local here = vim.api.nvim_win_get_cursor(0)[1] - 1
  return marks[1] and marks[1][2] == here and vim.api.nvim_get_current_line():find('hash_key', 1, true) and marks[1][4].virt_text[1][1] ]])
window:expect(window:lua('return text()') == changed, 'it was made before it was seen')
window:command('R1ls next')
window:wait('the next edit made', 10, [[local line = vim.api.nvim_get_current_line() return line:find('hash_name', 1, true) and line]])
window:command('undo')
window:expect(window:lua('return text()') == changed, 'it is not one step to undo')
window:command('edit!')
window:close()
