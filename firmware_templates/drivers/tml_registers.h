/* Registers that every Cortex-M has (Armv7-M Architecture Reference Manual, DDI 0403E, section B3.2; Armv6-M, DDI 0419E, B3.2). */
#ifndef TML_REGISTERS_H
#define TML_REGISTERS_H

#include <stdint.h>

#define TML_REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define TML_SCB_ICSR TML_REG32(0xE000ED04u)
#define TML_SCB_VTOR TML_REG32(0xE000ED08u)
#define TML_SCB_CFSR TML_REG32(0xE000ED28u)
#define TML_SCB_HFSR TML_REG32(0xE000ED2Cu)
#define TML_SCB_CPACR TML_REG32(0xE000ED88u)

#define TML_SYST_CSR TML_REG32(0xE000E010u)
#define TML_SYST_RVR TML_REG32(0xE000E014u)
#define TML_SYST_CVR TML_REG32(0xE000E018u)

#define TML_DEMCR TML_REG32(0xE000EDFCu)
#define TML_DWT_CTRL TML_REG32(0xE0001000u)
#define TML_DWT_CYCCNT TML_REG32(0xE0001004u)
#define TML_DWT_LAR TML_REG32(0xE0001FB0u)

/* Main-line cores (v7-M, v8-M Main) have the configurable faults and the DWT; base-line cores (v6-M) do not. */
#if defined(__ARM_ARCH_6M__) || (defined(__ARM_ARCH) && __ARM_ARCH == 6)
#define TML_MAINLINE 0
#else
#define TML_MAINLINE 1
#endif

#endif
