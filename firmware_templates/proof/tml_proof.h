/* Every application's proof: where a semihosting host has inputs for the network itself, it runs on them, and the host
 * compares the outputs. So the very image that is flashed is the one that is proven. */
#ifndef TML_PROOF_H
#define TML_PROOF_H

#include <stdbool.h>

/* False where no host has the file of inputs. Otherwise the network was run on each and `exit_code` says how it went. */
bool tml_proof(int *exit_code);

#endif
