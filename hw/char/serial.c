/* PC16550D UART (National Semiconductor data sheet, section 8, "Registers").
 *
 * Registers by offset (DLAB = LCR.7 shows the divisor latch at 0 and 1):
 *   0 RBR/THR/DLL  1 IER/DLM  2 IIR/FCR  3 LCR  4 MCR  5 LSR  6 MSR  7 SCR
 *
 * A byte written to THR leaves at once, whatever the divisor says: the
 * transmitter is always empty when the guest looks, and each write ends with
 * the THRE event that a real one gives a frame later.  The receiver is paced
 * by the host through can_read(): no byte from outside is ever lost.
 *
 * Left out on purpose: OUT2 does not gate the interrupt (on a PC it does, but
 * small guests forget it); no parity or framing errors arise; DMA mode bits
 * are kept but nothing looks at RXRDY/TXRDY.
 */
#include "hw/char/serial.h"

#include "hw/core/machine.h"
#include "util/bits.h"

enum { RBR_THR, IER_, IIR_FCR, LCR_, MCR_, LSR_, MSR_, SCR_ };
enum { IER_ERBFI = 0x01, IER_ETBEI = 0x02, IER_ELSI = 0x04, IER_EDSSI = 0x08, IER_MASK = 0x0f };
enum { IIR_MSI = 0x00, IIR_NONE = 0x01, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_RLS = 0x06, IIR_CTI = 0x0c, IIR_FE = 0xc0 };
enum { FCR_FE = 0x01, FCR_RFR = 0x02, FCR_XFR = 0x04, FCR_MASK = 0xc9 };
enum { LCR_WLS = 0x03, LCR_STB = 0x04, LCR_PEN = 0x08, LCR_SB = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_MASK = 0x1f };
enum { LSR_DR = 0x01, LSR_OE = 0x02, LSR_PE = 0x04, LSR_FE = 0x08, LSR_BI = 0x10, LSR_THRE = 0x20, LSR_TEMT = 0x40,
       LSR_FIFOE = 0x80, LSR_CHAR = LSR_PE | LSR_FE | LSR_BI, LSR_ERRORS = LSR_CHAR | LSR_OE };
enum { MSR_DCTS = 0x01, MSR_DDSR = 0x02, MSR_TERI = 0x04, MSR_DDCD = 0x08,
       MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_DELTAS = 0x0f };

/* ---- interrupts ---- */

static unsigned rx_trigger(const Serial *s)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return s->fcr & FCR_FE ? level[s->fcr >> 6] : 1;
}

/* IIR's identification bits, highest priority first (table IV of the data sheet). */
static uint8_t serial_source(const Serial *s)
{
    if ((s->ier & IER_ELSI) && (s->lsr & LSR_ERRORS))
        return IIR_RLS;
    if ((s->ier & IER_ERBFI) && (s->lsr & LSR_DR) && (!(s->fcr & FCR_FE) || s->rx_len >= rx_trigger(s)))
        return IIR_RDA;
    if ((s->ier & IER_ERBFI) && s->timeout_pending)
        return IIR_CTI;
    if ((s->ier & IER_ETBEI) && s->thre_pending)
        return IIR_THRE;
    if ((s->ier & IER_EDSSI) && (s->msr & MSR_DELTAS))
        return IIR_MSI;
    return IIR_NONE;
}

static void serial_update(Serial *s)
{
    s->iir = serial_source(s);
    s->irq_level = s->iir != IIR_NONE;
    irq_set(&s->irq, s->irq_level);
}

/* ---- receiver ---- */

static int64_t frame_ns(const Serial *s)
{
    unsigned bits = 1 + 5 + (s->lcr & LCR_WLS) + !!(s->lcr & LCR_PEN) + (s->lcr & LCR_STB ? 2 : 1);
    unsigned dl = s->dl ? s->dl : 1;
    return (int64_t)bits * 16 * dl * NS_PER_S / 1843200;
}

/* The character timeout runs while the FIFO holds bytes and nobody reads or adds any. */
static void rx_timer_restart(Serial *s)
{
    if ((s->fcr & FCR_FE) && s->rx_len)
        timer_set(&s->rx_timer, clock_ns(s->rx_timer.clock) + 4 * frame_ns(s));
    else
        timer_cancel(&s->rx_timer);
}

static void rx_timeout(void *opaque)
{
    Serial *s = opaque;
    if (!s->rx_len)
        return;
    s->timeout_pending = 1;
    serial_update(s);
}

/* LSR shows the errors of the byte at the top of the FIFO, and FIFOE those of any. */
static void rx_lsr(Serial *s)
{
    s->lsr &= ~(LSR_DR | LSR_FIFOE);
    if (!s->rx_len)
        return;
    s->lsr |= LSR_DR | (s->rx_err[s->rx_head] & LSR_CHAR);
    for (unsigned i = 0; i < s->rx_len; i++)
        if ((s->fcr & FCR_FE) && s->rx_err[(s->rx_head + i) % SERIAL_FIFO])
            s->lsr |= LSR_FIFOE;
}

static void rx_push(Serial *s, uint8_t byte, uint8_t errors)
{
    unsigned room = s->fcr & FCR_FE ? SERIAL_FIFO : 1;
    if (s->rx_len >= room) {
        s->lsr |= LSR_OE;
        if (room == 1)
            s->rx[s->rx_head] = byte;    /* without FIFO the new byte destroys the old; with it, it is lost itself */
        return;
    }
    unsigned at = (s->rx_head + s->rx_len++) % SERIAL_FIFO;
    s->rx[at] = byte;
    s->rx_err[at] = errors;
    rx_lsr(s);
}

static void rx_clear(Serial *s)
{
    s->rx_head = s->rx_len = 0;
    s->timeout_pending = 0;
    s->lsr &= ~(LSR_DR | LSR_FIFOE | LSR_CHAR);
    timer_cancel(&s->rx_timer);
}

static uint8_t rx_pop(Serial *s)
{
    if (s->rx_len) {
        s->rbr = s->rx[s->rx_head];
        s->rx_err[s->rx_head] = 0;
        s->rx_head = (s->rx_head + 1) % SERIAL_FIFO;
        s->rx_len--;
        rx_lsr(s);
    }
    s->timeout_pending = 0;
    rx_timer_restart(s);
    serial_update(s);
    if (s->chr && !(s->mcr & MCR_LOOP))
        chr_accept_input(s->chr);
    return s->rbr;
}

static size_t serial_can_read(void *opaque)
{
    Serial *s = opaque;
    size_t room = s->fcr & FCR_FE ? SERIAL_FIFO : 1;
    if ((s->mcr & MCR_LOOP) || s->rx_len >= room)
        return 0;
    return room - s->rx_len;
}

static void serial_read_host(void *opaque, const uint8_t *buf, size_t len)
{
    Serial *s = opaque;
    for (size_t i = 0; i < len; i++)
        rx_push(s, buf[i], 0);
    rx_timer_restart(s);
    serial_update(s);
}

static void serial_event(void *opaque, ChrEvent ev)
{
    Serial *s = opaque;
    if (ev != CHR_BREAK || (s->mcr & MCR_LOOP))
        return;
    rx_push(s, 0, LSR_BI);
    rx_timer_restart(s);
    serial_update(s);
}

static const ChrFront serial_front = { serial_can_read, serial_read_host, serial_event };

/* ---- modem lines ---- */

/* What the four inputs show now: the far end is always ready; in loopback the outputs come back. */
static uint8_t modem_inputs(const Serial *s)
{
    if (!(s->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
           (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void modem_update(Serial *s)
{
    uint8_t old = s->msr & ~MSR_DELTAS, now = modem_inputs(s), changed = old ^ now;
    uint8_t deltas = (changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4;
    if (old & ~now & MSR_RI)
        deltas |= MSR_TERI;
    s->msr = now | (s->msr & MSR_DELTAS) | deltas;
}

/* ---- register accesses ---- */

static void thr_write(Serial *s, uint8_t val)
{
    s->thr = val;
    s->thre_pending = 0;
    serial_update(s);                    /* the line falls before the next event raises it */
    if (s->mcr & MCR_LOOP) {
        rx_push(s, val, 0);
        rx_timer_restart(s);
    } else if (s->chr) {
        chr_write(s->chr, &val, 1);
    }
    s->thre_pending = 1;
    serial_update(s);
}

static void ier_write(Serial *s, uint8_t val)
{
    uint8_t rose = val & ~s->ier;
    s->ier = val & IER_MASK;
    if (rose & IER_ETBEI)                /* the transmitter is empty: enabling reports that */
        s->thre_pending = 1;
    serial_update(s);
}

static void fcr_write(Serial *s, uint8_t val)
{
    bool toggled = (val ^ s->fcr) & FCR_FE;
    if (toggled || (val & FCR_RFR))
        rx_clear(s);
    if (toggled || (val & FCR_XFR))
        s->thre_pending = 1;
    s->fcr = val & FCR_FE ? val & FCR_MASK : 0;
    serial_update(s);
    if (s->chr)
        chr_accept_input(s->chr);
}

static void mcr_write(Serial *s, uint8_t val)
{
    bool left_loop = (s->mcr & MCR_LOOP) && !(val & MCR_LOOP);
    s->mcr = val & MCR_MASK;
    modem_update(s);
    serial_update(s);
    if (left_loop && s->chr)
        chr_accept_input(s->chr);
}

static uint8_t iir_read(Serial *s)
{
    uint8_t val = s->iir | (s->fcr & FCR_FE ? IIR_FE : 0);
    if (s->iir == IIR_THRE) {
        s->thre_pending = 0;
        serial_update(s);
    }
    return val;
}

static uint8_t lsr_read(Serial *s)
{
    uint8_t val = s->lsr;
    s->lsr &= ~LSR_ERRORS;
    if (s->rx_len)
        s->rx_err[s->rx_head] = 0;       /* the top byte's errors have been seen */
    if (val & LSR_FIFOE)
        rx_lsr(s);
    serial_update(s);
    return val;
}

static uint8_t msr_read(Serial *s)
{
    uint8_t val = s->msr;
    s->msr &= ~MSR_DELTAS;
    serial_update(s);
    return val;
}

static uint64_t serial_read(void *opaque, uint64_t addr, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & LCR_DLAB;
    (void)size;
    switch (addr & 7) {
    case RBR_THR: return dlab ? s->dl & 0xff : rx_pop(s);
    case IER_: return dlab ? s->dl >> 8 : s->ier;
    case IIR_FCR: return iir_read(s);
    case LCR_: return s->lcr;
    case MCR_: return s->mcr;
    case LSR_: return lsr_read(s);
    case MSR_: return msr_read(s);
    default: return s->scr;
    }
}

static void serial_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Serial *s = opaque;
    bool dlab = s->lcr & LCR_DLAB;
    (void)size;
    switch (addr & 7) {
    case RBR_THR:
        if (dlab)
            s->dl = (s->dl & 0xff00) | (val & 0xff);
        else
            thr_write(s, val);
        break;
    case IER_:
        if (dlab)
            s->dl = (s->dl & 0x00ff) | (val & 0xff) << 8;
        else
            ier_write(s, val);
        break;
    case IIR_FCR: fcr_write(s, val); break;
    case LCR_: s->lcr = val; break;
    case MCR_: mcr_write(s, val); break;
    case LSR_: break;                    /* factory test only */
    case MSR_: break;
    default: s->scr = val; break;
    }
}

const MemOps serial_ops = { .read = serial_read, .write = serial_write, .min_size = 1, .max_size = 1 };

/* ---- life ---- */

void serial_init(Serial *s, Clock *clock)
{
    timer_init(&s->rx_timer, clock, rx_timeout, s);
    if (s->chr)
        chr_set_front(s->chr, &serial_front, s);
}

void serial_fini(Serial *s)
{
    if (!s->rx_timer.clock)
        return;                          /* never initialised */
    timer_cancel(&s->rx_timer);
    if (s->chr)
        chr_set_front(s->chr, NULL, NULL);
}

void serial_reset(Serial *s)
{
    s->msr = modem_inputs(s);
    s->irq_level = 0;
    irq_set(&s->irq, 0);
}

void serial_loaded(Serial *s)
{
    s->rx_head %= SERIAL_FIFO;
    s->rx_len = MIN(s->rx_len, SERIAL_FIFO);
    s->mcr &= MCR_MASK;
    serial_update(s);
}
