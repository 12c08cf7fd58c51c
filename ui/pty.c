/* A pseudo-terminal.  Its slave side is held open here, so that a program may
 * come and go; what nobody reads stays in the buffer, the newest of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "ui/chr.h"
#include "util/log.h"

static bool pty_open(Chardev *c, const Opts *o G_GNUC_UNUSED, GError **err)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    char name[128];
    int slave = -1;
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0)
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "pty: %s", g_strerror(errno));
        if (master >= 0)
            close(master);
        return false;
    }
    struct termios t;
    tcgetattr(slave, &t);
    cfmakeraw(&t);
    tcsetattr(slave, TCSANOW, &t);
    c->priv = GINT_TO_POINTER(slave);
    chr_set_desc(c, "pty:%s", name);
    print_line("char device redirected to %s (label %s)", name, c->id);
    chr_connected(c, master, master);
    return true;
}

static void pty_close(Chardev *c)
{
    if (c->priv)
        close(GPOINTER_TO_INT(c->priv));
}

static const char *const keys[] = { "path", NULL };
const ChrDriver chr_pty = { .name = "pty", .doc = "a pseudo-terminal", .keys = keys, .open = pty_open, .close = pty_close };
