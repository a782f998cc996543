# A program on a terminal screen under tmux, for scripts that source this: TMUX_NAME names their server.
screen() { tmux -L "$TMUX_NAME" capture-pane -p; }
type_keys() { tmux -L "$TMUX_NAME" send-keys "$@"; }
cursor() { tmux -L "$TMUX_NAME" display-message -p '#{cursor_y},#{cursor_x}'; }
start_on_screen() { tmux -L "$TMUX_NAME" -f /dev/null new-session -d -x 100 -y 40 "exec $*"; }
end_screen() { tmux -L "$TMUX_NAME" kill-server 2>/dev/null; }

within() { # SECONDS WHAT COMMAND...: repeats the command until it succeeds
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not seen in time: $what"; screen; return 1; }
    sleep 0.05
  done
}
shows() { screen | grep -qF -- "$1"; }
hides() { ! shows "$1"; }
moved() { [ "$(cursor)" != "$1" ]; }
on_screen() { within "$2" "$1" shows "$1"; } # TEXT SECONDS
in_file() { grep -qF -- "$2" "$1"; }
differs() { ! cmp -s "$1" "$2"; }
