#include "ui/readline.h"

#include <string.h>

enum { LINE_MAX_LEN = 4096, HISTORY = 100 };
enum { CTRL_A = 1, CTRL_B = 2, CTRL_C = 3, CTRL_D = 4, CTRL_E = 5, CTRL_F = 6, CTRL_H = 8, TAB = 9, CTRL_K = 11, CTRL_L = 12, CTRL_N = 14,
       CTRL_P = 16, CTRL_U = 21, CTRL_W = 23, ESC = 27, DEL = 127 };

struct Readline {
    const char *prompt;
    const ReadlineOps *ops;
    void *opaque;
    GString *line;
    size_t cursor;
    GPtrArray *history;                  /* char *, oldest first */
    guint hist;                          /* shown: history->len is the line being typed */
    char *typed;                         /* that line while history is shown */
    enum { PLAIN, AFTER_ESC, AFTER_CSI } state;
    unsigned param;                      /* number in ESC [ n ~ */
    uint8_t last;
};

static void put(Readline *r, const char *text)
{
    r->ops->write(r->opaque, text, strlen(text));
}

Readline *rl_new(const char *prompt, const ReadlineOps *ops, void *opaque)
{
    Readline *r = g_new0(Readline, 1);
    r->prompt = prompt;
    r->ops = ops;
    r->opaque = opaque;
    r->line = g_string_new(NULL);
    r->history = g_ptr_array_new_with_free_func(g_free);
    return r;
}

void rl_free(Readline *r)
{
    g_string_free(r->line, TRUE);
    g_ptr_array_unref(r->history);
    g_free(r->typed);
    g_free(r);
}

/* Draws the line anew from the start of the row. */
static void redraw(Readline *r)
{
    g_autofree char *back = NULL;
    put(r, "\r\033[K");
    put(r, r->prompt);
    put(r, r->line->str);
    if (r->cursor < r->line->len) {
        back = g_strdup_printf("\033[%zuD", r->line->len - r->cursor);
        put(r, back);
    }
}

void rl_show_prompt(Readline *r)
{
    put(r, r->prompt);
    if (r->line->len)
        redraw(r);
}

static void insert(Readline *r, uint8_t b)
{
    if (r->line->len >= LINE_MAX_LEN)
        return;
    g_string_insert_c(r->line, (gssize)r->cursor++, (char)b);
    if (r->cursor == r->line->len)
        r->ops->write(r->opaque, (const char *)&b, 1);
    else
        redraw(r);
}

static void erase(Readline *r, size_t from, size_t to)
{
    g_string_erase(r->line, (gssize)from, (gssize)(to - from));
    r->cursor = from;
    redraw(r);
}

static void move(Readline *r, size_t to)
{
    r->cursor = MIN(to, r->line->len);
    redraw(r);
}

static size_t word_start(const Readline *r)
{
    size_t p = r->cursor;
    while (p && r->line->str[p - 1] == ' ')
        p--;
    while (p && r->line->str[p - 1] != ' ')
        p--;
    return p;
}

static void show_history(Readline *r, int step)
{
    guint n = r->history->len;
    if ((step < 0 && r->hist == 0) || (step > 0 && r->hist >= n))
        return;
    if (r->hist == n) {
        g_free(r->typed);
        r->typed = g_strdup(r->line->str);
    }
    r->hist = (guint)((int)r->hist + step);
    g_string_assign(r->line, r->hist == n ? r->typed : r->history->pdata[r->hist]);
    r->cursor = r->line->len;
    redraw(r);
}

static void complete(Readline *r)
{
    const char *const *names = r->ops->complete ? r->ops->complete(r->opaque) : NULL;
    g_autoptr(GString) common = g_string_new(NULL), list = g_string_new("\r\n");
    unsigned found = 0;
    if (!names || memchr(r->line->str, ' ', r->cursor))
        return;
    for (; *names; names++) {
        if (strncmp(*names, r->line->str, r->cursor))
            continue;
        size_t same = 0;
        while (same < common->len && common->str[same] == (*names)[same])
            same++;
        if (found++)
            g_string_truncate(common, same);
        else
            g_string_assign(common, *names);
        g_string_append_printf(list, "%s  ", *names);
    }
    if (!found)
        return;
    g_string_erase(r->line, 0, (gssize)r->cursor);
    g_string_prepend(r->line, common->str);
    r->cursor = common->len;
    if (found == 1) {
        g_string_insert_c(r->line, (gssize)r->cursor++, ' ');
    } else {
        put(r, list->str);
        put(r, "\r\n");
    }
    redraw(r);
}

static void accept_line(Readline *r)
{
    put(r, "\r\n");
    g_autofree char *line = g_strdup(r->line->str);
    g_string_truncate(r->line, 0);
    r->cursor = 0;
    guint n = r->history->len;
    if (*line && (!n || strcmp(r->history->pdata[n - 1], line)))
        g_ptr_array_add(r->history, g_strdup(line));
    if (r->history->len > HISTORY)
        g_ptr_array_remove_index(r->history, 0);
    r->hist = r->history->len;
    r->ops->line(r->opaque, line);
}

static void cancel_line(Readline *r)
{
    g_string_truncate(r->line, 0);
    r->cursor = 0;
    put(r, "\r\n");
    rl_show_prompt(r);
}

static void control(Readline *r, uint8_t b)
{
    switch (b) {
    case CTRL_A: move(r, 0); break;
    case CTRL_E: move(r, r->line->len); break;
    case CTRL_B: move(r, r->cursor ? r->cursor - 1 : 0); break;
    case CTRL_F: move(r, r->cursor + 1); break;
    case CTRL_C: cancel_line(r); break;
    case CTRL_D: if (r->cursor < r->line->len) erase(r, r->cursor, r->cursor + 1); break;
    case CTRL_H: case DEL: if (r->cursor) erase(r, r->cursor - 1, r->cursor); break;
    case CTRL_K: erase(r, r->cursor, r->line->len); break;
    case CTRL_U: erase(r, 0, r->cursor); break;
    case CTRL_W: erase(r, word_start(r), r->cursor); break;
    case CTRL_L: put(r, "\033[H\033[2J"); redraw(r); break;
    case CTRL_P: show_history(r, -1); break;
    case CTRL_N: show_history(r, 1); break;
    case TAB: complete(r); break;
    case ESC: r->state = AFTER_ESC; break;
    case '\r': accept_line(r); break;
    case '\n': if (r->last != '\r') accept_line(r); break;
    }
}

/* The end of ESC [ ... : arrows, Home, End, Delete. */
static void sequence(Readline *r, uint8_t b)
{
    switch (b) {
    case 'A': show_history(r, -1); break;
    case 'B': show_history(r, 1); break;
    case 'C': move(r, r->cursor + 1); break;
    case 'D': move(r, r->cursor ? r->cursor - 1 : 0); break;
    case 'H': move(r, 0); break;
    case 'F': move(r, r->line->len); break;
    case '~':
        if (r->param == 3)
            control(r, CTRL_D);
        else if (r->param == 1 || r->param == 7)
            move(r, 0);
        else if (r->param == 4 || r->param == 8)
            move(r, r->line->len);
        break;
    }
}

void rl_byte(Readline *r, uint8_t b)
{
    switch (r->state) {
    case AFTER_ESC:
        r->state = b == '[' || b == 'O' ? AFTER_CSI : PLAIN;
        r->param = 0;
        break;
    case AFTER_CSI:
        if (g_ascii_isdigit(b)) {
            r->param = (r->param * 10 + (b - '0')) % 1000;
            break;
        }
        r->state = PLAIN;
        sequence(r, b);
        break;
    case PLAIN:
        if (b >= ' ' && b != DEL)
            insert(r, b);
        else
            control(r, b);
    }
    r->last = b;
}
