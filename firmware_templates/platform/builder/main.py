"""Builds the firmware with GCC or zig: the SCons script of the platform.

Options of ``platformio.ini`` that it reads:

``custom_toolchain``      ``auto`` (GCC where it is on PATH, else zig), ``gcc`` or ``zig``
``custom_network_flags``  flags for ``network*.c`` alone, after all others
``custom_strict_flags``   warning flags for the project's own sources
``custom_engine``         ``tflm`` where the network is TensorFlow Lite Micro's
``board_build.linker_script``  the linker script, relative to the project
"""

import importlib.util
import os
import shutil
import struct
import sys

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
platform = env.PioPlatform()
board = env.BoardConfig()


def fail(message):
    sys.stderr.write("Error: %s\n" % message)
    env.Exit(1)


def find_zig():
    """zig's own executable; starting it through ``python -m ziglang`` would cost a Python start for every file."""
    spec = importlib.util.find_spec("ziglang")
    if spec and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            for name in ("zig", "zig.exe"):
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    return path
    return shutil.which("zig")


toolchain = env.GetProjectOption("custom_toolchain", "auto")
if toolchain == "auto":
    toolchain = "gcc" if shutil.which("arm-none-eabi-gcc") else "zig"

if toolchain == "gcc":
    if not shutil.which("arm-none-eabi-gcc"):
        fail("arm-none-eabi-gcc is not on PATH (apt-get install --no-install-recommends gcc-arm-none-eabi "
             "libnewlib-arm-none-eabi)")
    prefix = "arm-none-eabi-"
    env.Replace(CC=prefix + "gcc", CXX=prefix + "g++", AS=prefix + "gcc", AR=prefix + "gcc-ar",
                RANLIB=prefix + "gcc-ranlib", OBJCOPY=prefix + "objcopy", SIZETOOL=prefix + "size", LINK=prefix + "gcc",
                SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
                SIZEPROGREGEXP=r"^(?:\.boot2|\.vectors|\.text|\.rodata|\.data|\.ARM\.exidx)\s+(\d+).*",
                SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.noinit)\s+(\d+).*")
    machine = list(board.get("build.gcc_flags"))
    libraries = ["c", "m", "gcc"]
    link_flags = ["--specs=nano.specs", "--specs=nosys.specs"]
    # two steps of the network with equal code stay two functions, so that sizes and counts are each layer's own
    compile_flags = ["-fstack-usage", "-fno-ipa-icf"]
elif toolchain == "zig":
    zig = find_zig()
    if zig is None:
        fail("neither arm-none-eabi-gcc is on PATH nor zig is installed (pip install ziglang)")
    zig = '"%s" ' % zig
    env.Replace(CC=zig + "cc", CXX=zig + "c++", AS=zig + "cc", AR=zig + "ar", RANLIB=zig + "ranlib",
                OBJCOPY=zig + "objcopy", LINK=zig + "cc")
    machine = list(board.get("build.zig_flags"))
    libraries = []
    link_flags = ["-Wl,-e,Reset_Handler"]
    compile_flags = ["-fno-sanitize=undefined", "-fstack-size-section"]
    env.Append(CPPPATH=[os.path.join(platform.get_dir(), "zig_include")])
else:
    fail("custom_toolchain must be auto, gcc or zig, not %r" % toolchain)

ldscript = os.path.join(env.subst("$PROJECT_DIR"), board.get("build.linker_script"))
if not os.path.isfile(ldscript):
    fail("the linker script %s is missing" % ldscript)

env.Append(
    ASFLAGS=machine,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=machine + ["-Os", "-g", "-ffreestanding", "-fno-builtin-printf", "-ffunction-sections", "-fdata-sections",
                       "-fomit-frame-pointer"] + compile_flags,
    CFLAGS=["-std=gnu11"],
    CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    LINKFLAGS=machine + ["-nostartfiles", "-static", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096",
                         "-T", '"%s"' % ldscript] + link_flags,
    LIBS=libraries,
)
env.Replace(PROGNAME="firmware", PROGSUFFIX=".elf")


def write_hex(target, source, env):
    """Intel HEX from the ELF's load segments: zig's objcopy has no such format."""
    with open(str(source[0]), "rb") as file:
        image = file.read()
    (header_offset,) = struct.unpack_from("<I", image, 28)
    entry_bytes, entries = struct.unpack_from("<HH", image, 42)
    lines = []

    def record(address, kind, data):
        body = bytes([len(data), address >> 8 & 255, address & 255, kind]) + data
        lines.append(":%s%02X" % (body.hex().upper(), -sum(body) & 255))

    for index in range(entries):
        kind, offset, _, address, size = struct.unpack_from("<5I", image, header_offset + index * entry_bytes)
        if kind != 1:
            continue
        for start in range(0, size, 16):
            here = address + start
            if start == 0 or here & 0xFFFF < 16:
                record(0, 4, struct.pack(">H", here >> 16))
            record(here & 0xFFFF, 0, image[offset + start:offset + min(start + 16, size)])
    record(0, 1, b"")
    with open(str(target[0]), "w") as file:
        file.write("\n".join(lines) + "\n")


env.Append(BUILDERS={
    "ElfToBin": Builder(action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"), suffix=".bin"),
    "ElfToHex": Builder(action=env.VerboseAction(write_hex, "Building $TARGET"), suffix=".hex"),
})


def project_flags(flags):
    """A middleware that appends flags to the compile command of a source."""
    def apply(node_env, node):
        return node_env.Object(node, CCFLAGS=node_env["CCFLAGS"] + flags)
    return apply


strict_flags = env.GetProjectOption("custom_strict_flags", "").split()
network_flags = env.GetProjectOption("custom_network_flags", "").split()
if strict_flags:
    env.Append(CCFLAGS=strict_flags)
if network_flags:
    env.AddBuildMiddleware(project_flags(network_flags), "*network*.c")
if env.GetProjectOption("custom_engine", "") == "tflm":
    # the library's headers are not ours to keep free of warnings, and network.cc stands in for its files for Arduino
    env.AddBuildMiddleware(project_flags(network_flags + ["-Wno-error"]), "*network.cc")
    for name in ("system_setup", "micro_time", "debug_log"):
        env.AddBuildMiddleware(lambda node: None, "*tensorflow/lite/micro/%s.c*" % name)
    for name in ("peripherals", "test_over_serial"):
        env.AddBuildMiddleware(lambda node: None, "*%s/*" % name)

elf = env.BuildProgram()
env.Depends(elf, ldscript)
binary = env.ElfToBin(os.path.join("$BUILD_DIR", "firmware"), elf)
hexfile = env.ElfToHex(os.path.join("$BUILD_DIR", "firmware"), elf)
AlwaysBuild(env.Alias("buildprog", [elf, binary, hexfile], elf))

qemu_machine = board.get("debug.qemu_machine", "")
if qemu_machine:
    env.AddCustomTarget(
        "qemu", elf,
        env.VerboseAction("qemu-system-arm -M %s -nographic -monitor none -serial null -chardev stdio,id=host "
                          "-semihosting-config enable=on,target=native,chardev=host -kernel $SOURCE" % qemu_machine,
                          "Running $SOURCE in QEMU %s" % qemu_machine),
        title="QEMU", description="Run the firmware in QEMU", always_build=True)

protocol = env.subst("$UPLOAD_PROTOCOL")
if protocol == "pyocd":
    env.Replace(UPLOADCMD='"$PYTHONEXE" -m pyocd load -W -t %s $SOURCE' % board.get("debug.pyocd_target", "cortex_m"))
elif protocol == "openocd":
    # halting debug off at the end (DHCSR): with it on the firmware's question for a semihosting host would stop the core
    env.Replace(UPLOADCMD='openocd %s -c "program {$SOURCE} verify; reset halt; mww 0xE000EDF0 0xA05F0000; shutdown"'
                % " ".join(board.get("debug.openocd_args", [])))
if protocol:
    AlwaysBuild(env.Alias("upload", elf, [env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")]))
Default([binary, hexfile])
