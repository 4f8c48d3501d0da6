/* I2S microphone module (INMP441, ICS-43434: 24 bits in the left slot of 32) on the RP2040 and RP2350: a state machine of PIO0
 * makes clock and word select and takes the left slot; two DMA channels, each chained to the other, fill the halves of a
 * buffer in turn, which are copied into the ring. Each wraps around its own half, so that a late interrupt overwrites nothing
 * else.
 *
 * RP2040 datasheet, sections 3.4 and 3.5 (PIO: instructions, side-set, autopush, fractional divider), 3.7 (registers), 2.5.2
 * (rings, chains), 2.5.7 (DMA registers), 2.3.2 (interrupts), 2.14 (resets); RP2350 datasheet, sections 11.4 to 11.7, 12.6, 3.2
 * and 7.5. 128 instructions a frame: the divider is the core's clock by 2,048,000, in steps of 1/256: 64 241/256 at 133 MHz,
 * 73 62/256 at 150 MHz, both of which give 16,000 samples a second exactly; single clocks are a core's cycle longer. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_microphone_blocks.h"
#include "tml_registers.h"

#define PIO(offset) TML_REG32(0x50200000u + (offset))
#define DMA(offset) TML_REG32(0x50000000u + (offset))
/* READ_ADDR 0, WRITE_ADDR 4, TRANS_COUNT 8, CTRL_TRIG 0xC, AL1_CTRL 0x10 */
#define CHANNEL(n, offset) DMA(0x40u * (n) + (offset))
#define PAD(pin) TML_REG32(TML_RP2_PADS_BANK0_BASE + 0x04u + 4u * (pin))
#define GPIO_CTRL(pin) TML_REG32(TML_RP2_IO_BANK0_BASE + 0x04u + 8u * (pin))
#define RESETS_SET TML_REG32(TML_RP2_RESETS_BASE + 0x2000u)
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u)
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)
#define FDEBUG PIO(0x008u)
#define DMA_INTE0 DMA(0x404u)
#define DMA_INTS0 DMA(0x40Cu)
#define NVIC_ISER TML_REG32(0xE000E100u)

/* Fields that lie elsewhere in the RP2350's DMA, and the bits of its resets: DMA, IO_BANK0, PADS_BANK0, PIO0. */
#if TML_RP2_IS_RP2350
enum { WRITE_STEPS = 1 << 6, RING_SIZE_SHIFT = 8, RING_WRITES = 1 << 12, CHAIN_SHIFT = 13, REQUEST_SHIFT = 17 };
enum { NEEDED = 1 << 2 | 1 << 6 | 1 << 9 | 1 << 11, AFRESH = 1 << 2 | 1 << 11 };
#else
enum { WRITE_STEPS = 1 << 5, RING_SIZE_SHIFT = 6, RING_WRITES = 1 << 10, CHAIN_SHIFT = 11, REQUEST_SHIFT = 15 };
enum { NEEDED = 1 << 2 | 1 << 5 | 1 << 8 | 1 << 10, AFRESH = 1 << 2 | 1 << 10 };
#endif

enum { CHANNEL_ENABLE = 1, WORDS = 2 << 2, REQUEST_PIO0_RX0 = 4, FUNCTION_PIO0 = 6, STALLED = 1 };
/* IE, 4 mA, SCHMITT; writing it also ends the RP2350's isolation */
enum { PAD_CLOCK = 1 << 6 | 1 << 4 | 1 << 1, PAD_DATA = 1 << 6 | 1 << 1 };
enum { STEPS_A_FRAME = 128, STEPS_HZ = STEPS_A_FRAME * TML_MICROPHONE_HZ };

_Static_assert(TML_MICROPHONE_WS == TML_MICROPHONE_SCK + 1u, "side-set drives two neighbours");

/* Two side-set bits, clock and word select. What comes in is taken while the clock is high; word select changes with the falling
 * edge before a slot's first bit's, as I2S has it. */
#define SIDE(ws, sck, instruction) ((ws) << 12 | (sck) << 11 | (instruction))
#define IN_BIT 0x4001u
#define SET_X_29 0xE03Du
#define JUMP_IF_X(to) (0x0040u | (to)) /* while X, counting down */
#define NOTHING 0xA042u                /* mov y, y */

static const uint16_t program[] = {
    SIDE(0u, 0u, SET_X_29),      /* 0: the left slot begins */
    SIDE(0u, 1u, IN_BIT),        /* 1: 30 bits */
    SIDE(0u, 0u, JUMP_IF_X(1u)), /* 2 */
    SIDE(0u, 1u, IN_BIT),        /* 3 */
    SIDE(1u, 0u, NOTHING),       /* 4 */
    SIDE(1u, 1u, IN_BIT),        /* 5: the 32nd, which pushes the word */
    SIDE(1u, 0u, SET_X_29),      /* 6: the right slot, which nobody takes */
    SIDE(1u, 1u, NOTHING),       /* 7 */
    SIDE(1u, 0u, JUMP_IF_X(7u)), /* 8 */
    SIDE(1u, 1u, NOTHING),       /* 9 */
    SIDE(0u, 0u, NOTHING),       /* 10 */
    SIDE(0u, 1u, NOTHING),       /* 11 */
};
/* It begins with the last bit of a right slot, so that the first left one is whole. */
enum { FIRST = 10, LAST = sizeof program / sizeof program[0] - 1 };

/* A channel's ring is a power of two of bytes, and begins at a multiple of it. */
static uint32_t halves[2][TML_HALF_SAMPLES] __attribute__((aligned(4 * TML_HALF_SAMPLES)));
static uint32_t half_samples;

void tml_microphone_irq(void);

static void start_program(void) {
    PIO(0x000u) = 0; /* CTRL */
    for (uint32_t i = 0; i <= LAST; ++i) PIO(0x048u + 4u * i) = program[i];
    PIO(0x0C8u) = tml_core_hz() / (STEPS_HZ / 256) << 8; /* SM0_CLKDIV: whole and 1/256 */
    PIO(0x0CCu) = (uint32_t)LAST << 12;                  /* SM0_EXECCTRL: wrap to 0 */
    PIO(0x0D0u) = 1u << 31 | 0u << 20 | 1u << 16; /* SM0_SHIFTCTRL: one FIFO of 8 words; push 32 bits, the first highest */
    /* SM0_PINCTRL: two to side-set, two to set; IN_BASE, SIDESET_BASE, SET_BASE */
    PIO(0x0DCu) = 2u << 29 | 2u << 26 | TML_MICROPHONE_DATA << 15 | TML_MICROPHONE_SCK << 10 | TML_MICROPHONE_SCK << 5;
    PIO(0x0D8u) = 0xE083u; /* SM0_INSTR: set pindirs, 3 */
    PIO(0x0D8u) = FIRST;   /* jmp */
    FDEBUG = STALLED;
    PIO(0x000u) = 1u << 8 | 1u << 4 | 1u; /* CTRL: CLKDIV_RESTART, SM_RESTART, SM_ENABLE */
}

static void start_channels(void) {
    uint32_t ring_bits = 2;
    while (1u << ring_bits < 4u * half_samples) ++ring_bits;
    for (uint32_t n = 2; n-- > 0;) { /* the first one last, with the trigger */
        const uint32_t control = (uint32_t)CHANNEL_ENABLE | WORDS | WRITE_STEPS | ring_bits << RING_SIZE_SHIFT | RING_WRITES |
                                 (1u - n) << CHAIN_SHIFT | (uint32_t)REQUEST_PIO0_RX0 << REQUEST_SHIFT;
        CHANNEL(n, 0x0u) = 0x50200020u; /* RXF0 */
        CHANNEL(n, 0x4u) = (uint32_t)(uintptr_t)halves[n];
        CHANNEL(n, 0x8u) = half_samples;
        CHANNEL(n, n == 0 ? 0xCu : 0x10u) = control;
    }
}

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    if (sample_rate_hz != TML_MICROPHONE_HZ) return -1;
    RESETS_SET = AFRESH; /* a debugger's reset of the core leaves DMA and PIO running */
    RESETS_CLEAR = NEEDED;
    if (!tml_clock_wait(&RESETS_DONE, NEEDED, NEEDED)) return -1;
    half_samples = tml_blocks_begin(ring, ring_samples, TML_HALF_SAMPLES);
    PAD(TML_MICROPHONE_DATA) = PAD_DATA;
    GPIO_CTRL(TML_MICROPHONE_DATA) = FUNCTION_PIO0;
    PAD(TML_MICROPHONE_SCK) = PAD_CLOCK;
    GPIO_CTRL(TML_MICROPHONE_SCK) = FUNCTION_PIO0;
    PAD(TML_MICROPHONE_WS) = PAD_CLOCK;
    GPIO_CTRL(TML_MICROPHONE_WS) = FUNCTION_PIO0;
    DMA_INTS0 = 3;
    DMA_INTE0 = 3;
    NVIC_ISER = 1u << TML_MICROPHONE_IRQ;
    start_channels();
    start_program();
    return 0;
}

static void take(const uint32_t *half) {
    for (uint32_t i = 0; i < half_samples; ++i) tml_blocks_put(i, tml_slot_sample(half[i]));
    tml_blocks_taken();
}

void tml_microphone_irq(void) {
    const uint32_t flags = DMA_INTS0 & 3u;
    const bool full = (FDEBUG & STALLED) != 0; /* the FIFO was full, and the clocks stood still */
    DMA_INTS0 = flags;
    if (full) FDEBUG = STALLED;
    tml_blocks_served(full || flags == 3u); /* both: one was written over before it was taken */
    if ((flags & 1u) != 0) take(halves[0]);
    if ((flags & 2u) != 0) take(halves[1]);
    __asm__ volatile("dsb" ::: "memory"); /* the flags are cleared before the interrupt returns */
}
