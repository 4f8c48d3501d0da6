/* The taps of one kernel row in assembly, for tml_depthwise_conv2d_dsp.h and tml_depthwise_plane_row_dsp.h. */
#ifndef TML_DEPTHWISE_TAPS_DSP_H
#define TML_DEPTHWISE_TAPS_DSP_H

/* One kernel row of four output columns: pairs of columns in r8 to r11, taps in the others. A, B and C are what a, b
 * and c are added to: themselves, or for the first row the bias, which is in d. */
#define TML_DW_3_1(A, B, C) \
    "ldm %[w]!, {r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10}\n\t" \
    "smlad %[a], r12, r8, " A "\n\t" \
    "smlabt %[b], r12, r8, " B "\n\t" \
    "smlad %[c], r12, r9, " C "\n\t" \
    "smlabt %[d], r12, r9, %[d]\n\t" \
    "smlatb %[a], lr, r9, %[a]\n\t" \
    "smlad %[b], lr, r9, %[b]\n\t" \
    "smlatb %[c], lr, r10, %[c]\n\t" \
    "smlad %[d], lr, r10, %[d]\n\t"
#define TML_DW_5_1(A, B, C) \
    "ldm %[w]!, {r5, r6, r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r5, r8, " A "\n\t" \
    "smlabt %[b], r5, r8, " B "\n\t" \
    "smlad %[c], r5, r9, " C "\n\t" \
    "smlabt %[d], r5, r9, %[d]\n\t" \
    "smlad %[a], r6, r9, %[a]\n\t" \
    "smlad %[b], r12, r9, %[b]\n\t" \
    "smlad %[c], r6, r10, %[c]\n\t" \
    "smlad %[d], r12, r10, %[d]\n\t" \
    "smlatb %[a], lr, r10, %[a]\n\t" \
    "smlad %[b], lr, r10, %[b]\n\t" \
    "smlatb %[c], lr, r11, %[c]\n\t" \
    "smlad %[d], lr, r11, %[d]\n\t"
#define TML_DW_7_1(A, B, C) \
    "ldm %[w]!, {r6, r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r6, r8, " A "\n\t" \
    "smlabt %[b], r6, r8, " B "\n\t" \
    "smlad %[c], r6, r9, " C "\n\t" \
    "smlabt %[d], r6, r9, %[d]\n\t" \
    "ldr r8, [%[x], #16]\n\t" \
    "smlad %[a], r12, r9, %[a]\n\t" \
    "smlad %[c], r12, r10, %[c]\n\t" \
    "smlad %[a], lr, r10, %[a]\n\t" \
    "smlad %[c], lr, r11, %[c]\n\t" \
    "ldm %[w]!, {r6, r12, lr}\n\t" \
    "smlad %[b], r6, r9, %[b]\n\t" \
    "smlad %[d], r6, r10, %[d]\n\t" \
    "smlad %[b], r12, r10, %[b]\n\t" \
    "smlad %[d], r12, r11, %[d]\n\t" \
    "smlatb %[a], lr, r11, %[a]\n\t" \
    "smlad %[b], lr, r11, %[b]\n\t" \
    "smlatb %[c], lr, r8, %[c]\n\t" \
    "smlad %[d], lr, r8, %[d]\n\t"
#define TML_DW_3_2(A, B, C) \
    "ldm %[w]!, {r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r12, r8, " A "\n\t" \
    "ldr r8, [%[x], #16]\n\t" \
    "smlabb %[a], lr, r9, %[a]\n\t" \
    "smlad %[b], r12, r9, " B "\n\t" \
    "smlabb %[b], lr, r10, %[b]\n\t" \
    "smlad %[c], r12, r10, " C "\n\t" \
    "smlabb %[c], lr, r11, %[c]\n\t" \
    "smlad %[d], r12, r11, %[d]\n\t" \
    "smlabb %[d], lr, r8, %[d]\n\t"
#define TML_DW_5_2(A, B, C) \
    "ldm %[w]!, {r6, r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r6, r8, " A "\n\t" \
    "smlad %[a], r12, r9, %[a]\n\t" \
    "smlabb %[a], lr, r10, %[a]\n\t" \
    "smlad %[b], r6, r9, " B "\n\t" \
    "smlad %[b], r12, r10, %[b]\n\t" \
    "smlabb %[b], lr, r11, %[b]\n\t" \
    "ldrd r8, r9, [%[x], #16]\n\t" \
    "smlad %[c], r6, r10, " C "\n\t" \
    "smlad %[c], r12, r11, %[c]\n\t" \
    "smlabb %[c], lr, r8, %[c]\n\t" \
    "smlad %[d], r6, r11, %[d]\n\t" \
    "smlad %[d], r12, r8, %[d]\n\t" \
    "smlabb %[d], lr, r9, %[d]\n\t"
#define TML_DW_7_2(A, B, C) \
    "ldm %[w]!, {r5, r6, r12, lr}\n\t" \
    "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r5, r8, " A "\n\t" \
    "smlad %[a], r6, r9, %[a]\n\t" \
    "smlad %[a], r12, r10, %[a]\n\t" \
    "smlabb %[a], lr, r11, %[a]\n\t" \
    "smlad %[b], r5, r9, " B "\n\t" \
    "ldrd r8, r9, [%[x], #16]\n\t" \
    "smlad %[b], r6, r10, %[b]\n\t" \
    "smlad %[b], r12, r11, %[b]\n\t" \
    "smlabb %[b], lr, r8, %[b]\n\t" \
    "smlad %[c], r5, r10, " C "\n\t" \
    "ldr r10, [%[x], #24]\n\t" \
    "smlad %[c], r6, r11, %[c]\n\t" \
    "smlad %[c], r12, r8, %[c]\n\t" \
    "smlabb %[c], lr, r9, %[c]\n\t" \
    "smlad %[d], r5, r11, %[d]\n\t" \
    "smlad %[d], r6, r8, %[d]\n\t" \
    "smlad %[d], r12, r9, %[d]\n\t" \
    "smlabb %[d], lr, r10, %[d]\n\t"

#endif
