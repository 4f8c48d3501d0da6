/* Start-up: vector table, memory initialisation, faults. One file for every Cortex-M. Most drivers are polled; the table has
 * the sixteen vectors of the core, and those of the peripherals only where a driver has an interrupt. */
#include <stdint.h>

#include "board_config.h"
#include "tml_console.h"
#include "tml_registers.h"
#include "tml_semihosting.h"

extern uint32_t _estack, _sidata, _sdata, _edata, _sbss, _ebss;
extern uint8_t _flash_start[], _flash_end[];

#ifdef TML_MICROPHONE_IRQ
enum { AFTER_MICROPHONE = 16 + TML_MICROPHONE_IRQ + 1 };
void tml_microphone_irq(void);
#else
enum { AFTER_MICROPHONE = 16 };
#endif
#ifdef TML_USB_IRQ
enum { AFTER_USB = 16 + TML_USB_IRQ + 1 };
void tml_usb_irq(void);
#else
enum { AFTER_USB = 16 };
#endif
enum { VECTORS = (int)AFTER_MICROPHONE > (int)AFTER_USB ? (int)AFTER_MICROPHONE : (int)AFTER_USB };

int main(void);
void Reset_Handler(void);
void HardFault_Handler(void);
void SysTick_Handler(void);
void tml_fault(uint32_t *frame);

enum { FRAME_R0 = 0, FRAME_LR = 5, FRAME_PC = 6 };
enum { BKPT_SEMIHOSTING = 0xBEAB, FAULT_EXIT_CODE = 112 };

__attribute__((noreturn, used)) void Reset_Handler(void) {
#if TML_MAINLINE || TML_HAS_VTOR
    /* A bootloader leaves the table's address at its own. ARM DDI 0403E, B3.2.5. */
    extern const void *const tml_vectors[VECTORS];
    TML_SCB_VTOR = (uint32_t)(uintptr_t)tml_vectors;
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    /* Full access to CP10 and CP11, which are the FPU and MVE. ARM DDI 0403E, B3.2.20. */
    TML_SCB_CPACR |= 0xFu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    const uint32_t *from = &_sidata;
    for (uint32_t *to = &_sdata; to < &_edata;) *to++ = *from++;
    for (uint32_t *to = &_sbss; to < &_ebss;) *to++ = 0;
    tml_exit(main());
}

/* Called with the eight-word exception frame (ARM DDI 0403E, B1.5.6). A breakpoint 0xAB with no debugger attached raises
 * a HardFault: skipping it with the result -1 is how the semihosting probe learns that there is no host. */
__attribute__((used)) void tml_fault(uint32_t *frame) {
    const uintptr_t pc = frame[FRAME_PC];
    if (pc >= (uintptr_t)_flash_start && pc + 2u <= (uintptr_t)_flash_end && *(const uint16_t *)pc == BKPT_SEMIHOSTING) {
        frame[FRAME_R0] = 0xFFFFFFFFu;
        frame[FRAME_PC] += 2u;
#if TML_MAINLINE
        TML_SCB_HFSR = 1u << 31; /* DEBUGEVT is cleared by writing one */
#endif
        return;
    }
    tml_print("{\"event\":\"fault\",\"pc\":\"");
    tml_print_hex(frame[FRAME_PC]);
    tml_print("\",\"lr\":\"");
    tml_print_hex(frame[FRAME_LR]);
#if TML_MAINLINE
    tml_print("\",\"cfsr\":\"");
    tml_print_hex(TML_SCB_CFSR);
#endif
    tml_print("\"}\n");
    tml_exit(FAULT_EXIT_CODE);
}

__attribute__((naked, used)) void HardFault_Handler(void) {
    __asm__ volatile(
        "mov r0, lr\n"
        "movs r1, #4\n"
        "tst r0, r1\n"
        "beq 1f\n"
        "mrs r0, psp\n"
        "b 2f\n"
        "1: mrs r0, msp\n"
        "2: ldr r1, =tml_fault\n"
        "bx r1\n"
        ".ltorg\n");
}

__attribute__((weak, used)) void SysTick_Handler(void) {}

__attribute__((used, section(".vectors"), aligned(VECTORS > 64 ? 512 : 256))) const void *const tml_vectors[VECTORS] = {
    &_estack,
    (const void *)Reset_Handler,
    (const void *)HardFault_Handler, /* NMI */
    (const void *)HardFault_Handler,
    (const void *)HardFault_Handler, /* MemManage */
    (const void *)HardFault_Handler, /* BusFault */
    (const void *)HardFault_Handler, /* UsageFault */
    (const void *)HardFault_Handler, /* SecureFault */
    0,
    0,
    0,
    (const void *)HardFault_Handler, /* SVCall */
    (const void *)HardFault_Handler, /* DebugMonitor */
    0,
    (const void *)HardFault_Handler, /* PendSV */
    (const void *)SysTick_Handler,
#ifdef TML_MICROPHONE_IRQ
    [16 + TML_MICROPHONE_IRQ] = (const void *)tml_microphone_irq,
#endif
#ifdef TML_USB_IRQ
    [16 + TML_USB_IRQ] = (const void *)tml_usb_irq,
#endif
};
