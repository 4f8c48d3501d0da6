/* Keyword spotting: microphone → ring → front-end → network → detector → light and one JSON line a detection.
 *
 * The microphone writes into the ring by itself while the network runs; the ring is large enough for what arrives
 * meanwhile. Every hop costs one frame of the front-end; every APP_STRIDE_HOPS-th also one inference. With nothing to do
 * the core sleeps. Under a host that has sound the same loop runs on that, in the host's time. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "app_config.h"
#include "detector.h"
#include "frontend.h"
#include "journal.h"
#include "network.h"
#include "tml_audio.h"
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_led.h"
#include "tml_proof.h"
#include "tml_semihosting.h"
#include "tml_stack.h"

enum { EXIT_OK = 0, EXIT_NO_MICROPHONE = 8 };

#ifdef NETWORK_HOP_ROWS
enum { KEPT_FRAMES = NETWORK_HOP_ROWS }; /* the network keeps what it needs of the frames before */
_Static_assert(NETWORK_WINDOW_ROWS == APP_FRAMES, "the network's window is the application's");
#else
enum { KEPT_FRAMES = APP_FRAMES };
#endif

_Static_assert(NETWORK_INPUT_BYTES == KEPT_FRAMES * FRONTEND_FEATURES, "the network takes the frames that are kept");
_Static_assert(NETWORK_OUTPUT_BYTES == APP_LABEL_COUNT, "the network gives a score for each label");

static const char *const labels[APP_LABEL_COUNT] = APP_LABELS;
static const uint8_t lights[APP_LABEL_COUNT] = APP_LIGHTS;
static uint32_t lit; /* the light of the last word */

static int16_t ring[APP_RING_SAMPLES] __attribute__((aligned(4))); /* some DMA writes words of two samples */
static int8_t window[KEPT_FRAMES][FRONTEND_FEATURES]; /* the last frames, the one that comes next first */
static uint32_t window_at;
static bool unhurried; /* the host chose the rhythm of inferences, which its sound waits for */

static struct {
    uint32_t frames, inferences, detections, dropped_frames, most_waiting, busy_us;
} count;

static uint32_t time_ms(uint32_t frame) {
    return (uint32_t)(((uint64_t)frame * FRONTEND_HOP_SAMPLES + FRONTEND_WINDOW_SAMPLES) * 1000u / FRONTEND_SAMPLE_RATE_HZ);
}

/* Microseconds since `start`. A host does not count cycles: there it is what the build estimated. */
static void account(uint32_t start, uint32_t estimate_us) {
    const uint32_t us = tml_host_present() ? estimate_us : (uint32_t)((uint64_t)(tml_cycles() - start) * 1000000u / tml_core_hz());
    count.busy_us += us;
    if (!unhurried) tml_audio_spent(us);
}

static uint32_t now(void) { return tml_host_present() ? 0 : tml_cycles(); }

static void print_permille(const char *name, uint32_t value) {
    tml_print(",\"");
    tml_print(name);
    tml_print(value >= 1000u ? "\":1." : "\":0.");
    value = value >= 1000u ? value - 1000u : value;
    if (value < 100u) tml_print("0");
    if (value < 10u) tml_print("0");
    tml_print_u32(value);
}

static void print_counts(void) {
    tml_print_field("frames", count.frames);
    tml_print_field("inferences", count.inferences);
    tml_print_field("detections", count.detections);
    tml_print_field("dropped_frames", count.dropped_frames);
    tml_print_field("overruns", tml_audio_overruns());
    tml_print_field("most_waiting_samples", count.most_waiting);
}

/* Since the last status; the share of time that the core computed. */
static void print_status(void) {
    const uint32_t elapsed_us =
        (uint32_t)((uint64_t)APP_STATUS_FRAMES * FRONTEND_HOP_SAMPLES * 1000000u / FRONTEND_SAMPLE_RATE_HZ);
    tml_print("{\"event\":\"status\"");
    tml_print_field("time_ms", time_ms(count.frames - 1u));
    print_permille("duty", (uint32_t)((uint64_t)count.busy_us * 1000u / elapsed_us));
    print_counts();
    tml_print("}\n");
    count.busy_us = 0;
}

static void announce(int label, uint32_t frame) {
    ++count.detections;
    tml_led_set(lit, 0);
    lit = lights[label];
    tml_led_set(lit, 1);
    tml_print("{\"event\":\"detection\",\"word\":");
    tml_print(labels[label]);
    print_permille("score", detector_permille(label));
    tml_print_field("frame", frame);
    tml_print_field("time_ms", time_ms(frame));
    tml_print("}\n");
}

#ifdef NETWORK_FED_BY_ROWS
_Static_assert(NETWORK_INPUT_ROWS == APP_FRAMES && NETWORK_ROW_BYTES == FRONTEND_FEATURES, "a frame is a row of the input");

/* The window's frames one by one, the oldest first: the input is nowhere else. */
static void run_network(void) {
    for (uint32_t n = 0; n < APP_FRAMES; ++n) {
        const uint32_t at = window_at + n;
        (void)network_push_row(window[at < APP_FRAMES ? at : at - APP_FRAMES]);
    }
}
#elif defined(NETWORK_HOP_ROWS)
static void run_network(void) {
    memcpy(network_input(0), window, sizeof window);
    network_invoke();
}
#else
static void run_network(void) {
    int8_t *const input = (int8_t *)network_input(0);
    const uint32_t tail = (APP_FRAMES - window_at) * FRONTEND_FEATURES;
    memcpy(input, window[window_at], tail);
    memcpy(input + tail, window[0], window_at * FRONTEND_FEATURES);
    network_invoke();
}
#endif

/* The label that is announced after `frame`, negative where there is none; only what is `due` goes to the detector. */
static int infer(uint32_t frame, bool due) {
    const uint32_t start = now();
    int label = -1;
    run_network();
    if (due) {
        const int8_t *const scores = (const int8_t *)network_output(0);
        label = detector_push(scores);
        ++count.inferences;
        journal_scores(frame, scores, detector_sums());
    }
    account(start, APP_INFERENCE_US);
    return label;
}

static void add_frame(uint32_t first) {
    const uint32_t start = now();
    frontend_frame(ring, APP_RING_SAMPLES, first, window[window_at]);
    journal_frame(window[window_at]);
    window_at = window_at + 1u == KEPT_FRAMES ? 0 : window_at + 1u;
    account(start, APP_FRAME_US);
}

/* A network that takes hops runs at the end of each, so that it has seen all frames; another only where it is asked. */
static bool runs_now(bool due) {
#ifdef NETWORK_HOP_ROWS
    (void)due;
    return window_at == 0;
#else
    return due;
#endif
}

static void listen(void) {
    uint32_t first = 0, next_inference = APP_FRAMES - 1u, every = APP_STRIDE_HOPS, light_until = 0;
    journal_start();
#ifdef NETWORK_HOP_ROWS
    window_at = (NETWORK_HOP_ROWS - APP_FRAMES % NETWORK_HOP_ROWS) % NETWORK_HOP_ROWS; /* a hop ends with the first window */
#endif
    unhurried = journal_schedule(&next_inference, &every);
    for (;;) {
        uint32_t waiting = tml_audio_position() - first;
        /* A driver writes up to a quarter of the ring ahead of its position, so three quarters are safe to read. */
        if (waiting > APP_RING_SAMPLES / 4u * 3u) {
            const uint32_t lost = (waiting - APP_RING_SAMPLES / 2u) / FRONTEND_HOP_SAMPLES + 1u;
            first += lost * FRONTEND_HOP_SAMPLES;
            waiting -= lost * FRONTEND_HOP_SAMPLES;
            count.frames += lost;
            count.dropped_frames += lost;
        }
        if (waiting > count.most_waiting) count.most_waiting = waiting;
        if (waiting < FRONTEND_WINDOW_SAMPLES) {
            if (!tml_audio_wait()) return;
            continue;
        }
        add_frame(first);
        first += FRONTEND_HOP_SAMPLES;
        const uint32_t frame = count.frames++;
        if (light_until != 0 && frame + 1u >= light_until) { /* its own frame may have been left out */
            tml_led_set(lit, 0);
            light_until = 0;
        }
        const bool due = frame >= next_inference && count.frames - count.dropped_frames >= APP_FRAMES;
        if (runs_now(due)) {
            while (next_inference <= frame) next_inference += every;
            const int label = infer(frame, due);
            if (label >= 0) {
                announce(label, frame);
                light_until = frame + APP_LIGHT_FRAMES;
            }
        }
        if (count.frames % APP_STATUS_FRAMES == 0) print_status();
    }
}

int main(void) {
    int exit_code = EXIT_OK;
    tml_console_init();
    if (tml_proof(&exit_code)) return exit_code;
    if (!tml_host_present()) {
        tml_cycles_init();
        tml_led_init();
    }
    tml_stack_paint();
    if (tml_audio_start(FRONTEND_SAMPLE_RATE_HZ, ring, APP_RING_SAMPLES) != 0) {
        tml_print("{\"event\":\"error\",\"message\":\"no microphone answers\"}\n");
        return EXIT_NO_MICROPHONE;
    }
    tml_print("{\"event\":\"start\",\"model\":" APP_MODEL_JSON);
    tml_print_field("sample_rate_hz", FRONTEND_SAMPLE_RATE_HZ);
    tml_print_field("stride_hops", APP_STRIDE_HOPS);
    tml_print_field("core_hz", tml_core_hz());
    tml_print("}\n");
    listen();
    tml_print("{\"event\":\"done\"");
    print_counts();
    tml_print_field("stack_used_bytes", tml_stack_used_bytes());
    tml_print("}\n");
    return EXIT_OK;
}
