*** Settings ***
Documentation     The benchmark firmware prints its results on the serial line of an emulated nano33ble.
Suite Setup       Setup
Suite Teardown    Teardown
Test Teardown     Test Teardown
Resource          ${RENODEKEYWORDS}

*** Variables ***
${PROJECT}        ${CURDIR}

*** Test Cases ***
Results Come Over The Serial Line
    Execute Command           $elf=@${PROJECT}/.pio/build/nano33ble/firmware.elf
    Execute Command           $log=@${PROJECT}/uart.log
    Execute Script            ${PROJECT}/renode/nano33ble.resc
    Create Terminal Tester    sysbus.uart0    timeout=10
    Start Emulation
    Wait For Line On Uart     "event":"start"
    Wait For Line On Uart     "event":"result","input":0
    Wait For Line On Uart     "event":"result","input":1
    Wait For Line On Uart     "event":"result","input":2
    Wait For Line On Uart     "event":"done"
