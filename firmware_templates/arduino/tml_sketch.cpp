// The application under the Arduino core: its main() is called tml_app_main here (app_config.h), and never returns on a board.
#include <Arduino.h>

extern "C" int tml_app_main(void);

void setup() { (void)tml_app_main(); }

void loop() {}
