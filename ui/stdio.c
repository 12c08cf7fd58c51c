/* stdin and stdout.  A terminal goes into raw mode and back at exit; with
 * signal=off (the default when multiplexed: -nographic) Ctrl-C, Ctrl-Z and
 * Ctrl-\ go to the guest. */
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "ui/chr.h"
#include "util/log.h"

static struct termios saved;
static bool raw, in_use;

static void restore(void)
{
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    raw = false;
}

static void go_raw(bool signals)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    struct termios t = saved;
    t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals)
        t.c_lflag &= ~(tcflag_t)ISIG;
    t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    t.c_oflag |= OPOST;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0 && !raw) {
        raw = true;
        atexit(restore);
    }
}

static bool stdio_open(Chardev *c, const Opts *o, GError **err)
{
    bool signals = c->mux == NULL;
    if (!opts_bool(o, "signal", &signals, err))
        return false;
    if (in_use) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "stdio is already in use; give one of the two another place, or use mon:stdio to "
                    "share it between serial port and monitor");
        return false;
    }
    in_use = true;
    go_raw(signals);
    chr_connected(c, STDIN_FILENO, STDOUT_FILENO);
    return true;
}

static void stdio_close(Chardev *c)
{
    if (c->connected)
        in_use = false;
    restore();
}

static const char *const keys[] = { NULL };
const ChrDriver chr_stdio = { .name = "stdio", .doc = "standard input and output", .keys = keys, .open = stdio_open, .close = stdio_close };
