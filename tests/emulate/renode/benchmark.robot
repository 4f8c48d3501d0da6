*** Settings ***
Documentation     The benchmark firmware prints its results on the serial line of an emulated board.
Suite Setup       Setup
Suite Teardown    Teardown
Test Teardown     Test Teardown
Resource          ${RENODEKEYWORDS}

*** Variables ***
${PROJECT}        ${CURDIR}
${BOARD}          nano33ble
${UART}           uart0

*** Test Cases ***
Results Come Over The Serial Line
    Execute Command           $elf=@${PROJECT}/.pio/build/${BOARD}/firmware.elf
    Execute Command           $log=@${PROJECT}/uart.log
    Execute Script            ${PROJECT}/renode/${BOARD}.resc
    Create Terminal Tester    sysbus.${UART}    timeout=10
    Start Emulation
    Wait For Line On Uart     "event":"start"
    Wait For Line On Uart     "event":"result","input":0
    Wait For Line On Uart     "event":"result","input":1
    Wait For Line On Uart     "event":"result","input":2
    Wait For Line On Uart     "event":"done"
