*** Settings ***
Documentation     The keyword firmware hears the nano33ble's PDM microphone: a spoken word is detected, silence is not.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Resource          ${RENODEKEYWORDS}

*** Variables ***
${PROJECT}        ${CURDIR}
${WORD}           ${CURDIR}/word.pcm
${SILENCE}        ${CURDIR}/silence.pcm
${NAME}           yes

*** Keywords ***
Hear
    [Arguments]               ${sound}
    Execute Command           $elf=@${PROJECT}/.pio/build/nano33ble/firmware.elf
    Execute Command           $log=@${PROJECT}/uart.log
    Execute Script            ${PROJECT}/renode/nano33ble.resc
    Execute Command           sysbus.pdm SetInputFile @${sound}
    Create Terminal Tester    sysbus.uart0    timeout=10
    Start Emulation
    Wait For Line On Uart     "event":"start"

*** Test Cases ***
A Word In The Microphone Comes Out Of The Serial Line
    Hear                      ${WORD}
    Wait For Line On Uart     "word":"${NAME}"

Silence Says Nothing
    Hear                      ${SILENCE}
    Should Not Be On Uart     "event":"detection"    timeout=4
