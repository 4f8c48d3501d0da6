"""A library with the part of TensorFlow Lite Micro's interface that ``network.cc`` uses, written for the tests.

As strict as TensorFlow's packaging for Arduino: the same names and signatures, declarations of the kernels' variants
that are inline unless ``ARDUINO`` is defined though the kernels define them too, a resolver that refuses an op twice or
one too many, tensors that exist only once they are allocated, files that need Arduino's core, and logging and time left
to the platform.
Its interpreter knows no op: an output's byte k is input byte k and the number of ops that were registered, added.
"""

from __future__ import annotations

from pathlib import Path

from tinyml.graph.ir import Graph

VARIANTS = {
    "Add": "ADD",
    "AveragePool2D": "AVERAGE_POOL_2D",
    "Conv2D": "CONV_2D",
    "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
    "FullyConnected": "FULLY_CONNECTED",
    "MaxPool2D": "MAX_POOL_2D",
    "Mul": "MUL",
    "Softmax": "SOFTMAX",
    "Svdf": "SVDF",
}
"""The resolver's methods that take a registration, and the op's name in ``Register_...`` and ``Register_..._INT8``."""
_NAMES = """Abs AddN ArgMax ArgMin AssignVariable BatchToSpaceNd BroadcastArgs BroadcastTo CallOnce Cast Ceil
CircularBuffer
Concatenation Cos CumSum DepthToSpace Dequantize DetectionPostprocess Div Elu Equal EthosU Exp ExpandDims Fill
Floor FloorDiv FloorMod Gather GatherNd Greater GreaterEqual HardSwish If L2Normalization L2Pool2D LeakyRelu Less
LessEqual Log LogicalAnd LogicalNot LogicalOr Logistic LogSoftmax Maximum MirrorPad Mean Minimum Neg NotEqual Pack
Pad PadV2 Prelu Quantize ReadVariable ReduceMax Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor Round Rsqrt
SelectV2 Shape Sin Slice SpaceToBatchNd SpaceToDepth Split SplitV Squeeze Sqrt Square SquaredDifference
StridedSlice Sub Sum Tanh TransposeConv Transpose Unpack UnidirectionalSequenceLSTM VarHandle While ZerosLike"""
METHODS = tuple(_NAMES.split())
"""Its other methods, in the state of 2022 that the pinned commit is at least as new as."""

_COMMON = """#pragma once
#include <stddef.h>
#include <stdint.h>
#ifndef TF_LITE_STATIC_MEMORY
#error tensors have other fields without it
#endif
typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1, kTfLiteDelegateError = 2 } TfLiteStatus;
typedef enum { kTfLiteNoType = 0, kTfLiteInt8 = 9 } TfLiteType;
typedef struct TfLiteIntArray { int size; int data[]; } TfLiteIntArray;
typedef union TfLitePtrUnion {
  int32_t *i32; float *f; char *raw; const char *raw_const; uint8_t *uint8; int16_t *i16; int8_t *int8; void *data;
} TfLitePtrUnion;
typedef struct TfLiteTensor {
  TfLitePtrUnion data; TfLiteIntArray *dims; size_t bytes; TfLiteType type; bool is_variable;
} TfLiteTensor;
typedef struct TfLiteRegistration {
  const void *invoke; int32_t builtin_code; const char *custom_name; int version;
} TfLiteRegistration;
"""
_SCHEMA = """#pragma once
#include <stdint.h>
namespace tflite {
struct Model { uint32_t version() const { return VERSION; } };
inline const Model *GetModel(const void *buffer) { return static_cast<const Model *>(buffer); }
}
"""
_KERNELS = """#pragma once
#include <tensorflow/lite/c/common.h>
namespace tflite {
TfLiteRegistration Register_PLAIN();
"""
_RESOLVER = """#pragma once
#include <tensorflow/lite/c/common.h>
#include <tensorflow/lite/micro/kernels/micro_ops.h>
#define TF_LITE_REMOVE_VIRTUAL_DELETE void operator delete(void *) {}
namespace tflite {
class ErrorReporter;
class MicroOpResolver {
 public:
  virtual unsigned int registered() const = 0;
  virtual ~MicroOpResolver() {}
 private:
  TF_LITE_REMOVE_VIRTUAL_DELETE
};
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TF_LITE_REMOVE_VIRTUAL_DELETE
  explicit MicroMutableOpResolver(ErrorReporter *error_reporter = nullptr) { (void)error_reporter; }
  unsigned int registered() const override { return count_; }
ADDERS
 private:
  TfLiteStatus AddBuiltin(int32_t op, const TfLiteRegistration &registration) {
    for (unsigned int i = 0; i < count_; ++i) {
      if (registrations_[i].builtin_code == op) return kTfLiteError;
    }
    if (count_ >= tOpCount || registration.invoke == nullptr) return kTfLiteError;
    registrations_[count_] = registration;
    registrations_[count_++].builtin_code = op;
    return kTfLiteOk;
  }
  TfLiteRegistration registrations_[tOpCount];
  unsigned int count_ = 0;
};
}
"""
_INTERPRETER = """#pragma once
#include <tensorflow/lite/c/common.h>
#include <tensorflow/lite/micro/micro_mutable_op_resolver.h>
#include <tensorflow/lite/schema/schema_generated.h>
#define TFLITE_SCHEMA_VERSION (3)
namespace tflite {
class MicroAllocator;
class MicroProfiler;
class MicroResourceVariables;
int Plan();
void MicroPrintf(const char *format, ...);
class MicroInterpreter {
 public:
  MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_bytes,
                   ErrorReporter *, MicroResourceVariables *variables = nullptr, MicroProfiler *profiler = nullptr)
      : MicroInterpreter(model, resolver, arena, arena_bytes, variables, profiler) {}
  MicroInterpreter(const Model *, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_bytes,
                   MicroResourceVariables * = nullptr, MicroProfiler * = nullptr)
      : resolver_(resolver), arena_(arena), arena_bytes_(arena_bytes) {}
  ~MicroInterpreter() { arena_ = nullptr; }
  TfLiteStatus AllocateTensors() {
    if (Plan() != 3 || arena_bytes_ < INPUT_BYTES + OUTPUT_BYTES || reinterpret_cast<uintptr_t>(arena_) % 16 != 0) {
      MicroPrintf("Failed to allocate");
      return kTfLiteError;
    }
    input_.data.data = arena_;
    output_.data.data = arena_ + INPUT_BYTES;
    allocated_ = true;
    return kTfLiteOk;
  }
  TfLiteTensor *input(size_t index) { return allocated_ && index == 0 ? &input_ : nullptr; }
  TfLiteTensor *output(size_t index) { return allocated_ && index == 0 ? &output_ : nullptr; }
  TfLiteStatus Invoke() {
    if (!allocated_) return kTfLiteError;
    for (size_t i = 0; i < OUTPUT_BYTES; ++i) {
      output_.data.uint8[i] = static_cast<uint8_t>(input_.data.uint8[i % INPUT_BYTES] + resolver_.registered());
    }
    return kTfLiteOk;
  }
  size_t arena_used_bytes() const { return INPUT_BYTES + OUTPUT_BYTES; }
 private:
  const MicroOpResolver &resolver_;
  uint8_t *arena_;
  size_t arena_bytes_;
  bool allocated_ = false;
  TfLiteTensor input_ = {};
  TfLiteTensor output_ = {};
};
}
"""
_LOG = """#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
extern "C" {
LOG
}
namespace tflite {
uint32_t ticks_per_second();
uint32_t GetCurrentTimeTicks();
void MicroPrintf(const char *format, ...);
void MicroPrintf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  CALL
  va_end(arguments);
}
uint32_t Profiled() { return ticks_per_second() + GetCurrentTimeTicks(); }
}
"""
_LOG_OF_2022 = ("void DebugLog(const char *s);", "DebugLog(format);")
_LOG_OF_2023 = (
    "void DebugLog(const char *format, va_list args);\nint DebugVsnprintf(char *, size_t, const char *, va_list);",
    "char text[8]; (void)DebugVsnprintf(text, sizeof text, format, arguments); DebugLog(format, arguments);",
)
_NEW = "#pragma once\n#include <stddef.h>\ninline void *operator new(size_t, void *where) noexcept { return where; }\n"
_PROPERTIES = """name=Arduino_TensorFlowLite
version=2.4.0-ALPHA
author=TensorFlow Authors
maintainer=nobody
sentence=A stand-in.
paragraph=A stand-in.
category=Data Processing
url=https://www.tensorflow.org/lite/microcontrollers/overview
ldflags=
includes=TensorFlowLite.h
precompiled=full
depends=ArduinoBLE,Arduino_LSM9DS1
"""
_PLANNER = """#include <tensorflow/lite/micro/micro_mutable_op_resolver.h>
namespace tflite {
class Planner {
 public:
  Planner();
  virtual ~Planner();
  virtual int plan() = 0;
 private:
  TF_LITE_REMOVE_VIRTUAL_DELETE
};
Planner::Planner() {}
Planner::~Planner() {}
class Greedy : public Planner {
 public:
  int plan() override { return 3; }
 private:
  TF_LITE_REMOVE_VIRTUAL_DELETE
};
int Plan();
int Plan() {
  Greedy greedy;
  Planner *volatile planner = &greedy;
  return planner->plan();
}
}
"""
_ARDUINO = '#include "Arduino.h"\n'


def write_library(
    folder: Path, graph: Graph, *, schema_version: int = 3, newer: bool = False, without: tuple[str, ...] = ()
) -> Path:
    """The library for a model with one input and one output, in ``folder``.

    ``newer`` has the platform format what is logged, as later versions do, and asks for ``CMSIS_NN``; ``without``
    leaves methods out.
    """
    given, result = (graph.tensors[index].size_bytes for index in (graph.inputs[0], graph.outputs[0]))
    sizes = f"#define INPUT_BYTES {given}u\n#define OUTPUT_BYTES {result}u\n"
    log, call = _LOG_OF_2023 if newer else _LOG_OF_2022
    micro = "src/tensorflow/lite/micro"
    files = {
        "library.properties": _PROPERTIES,
        "src/new": _NEW,
        "src/TensorFlowLite.h": "#pragma once\n",
        "src/tensorflow/lite/c/common.h": _COMMON,
        "src/tensorflow/lite/schema/schema_generated.h": _SCHEMA.replace("VERSION", str(schema_version)),
        f"{micro}/kernels/micro_ops.h": _declarations("CMSIS_NN" if newer else "ARDUINO"),
        f"{micro}/kernels/cmsis_nn/conv.cpp": _definitions(),
        f"{micro}/micro_mutable_op_resolver.h": _RESOLVER.replace("ADDERS", _adders(without)),
        f"{micro}/micro_interpreter.h": _INTERPRETER.replace("#define TFLITE", f"{sizes}#define TFLITE"),
        f"{micro}/micro_log.cpp": _LOG.replace("LOG", log).replace("CALL", call),
        f"{micro}/memory_planner.cpp": _PLANNER,
        f"{micro}/micro_time.cpp": '#include "peripherals/utility.h"\n',
        f"{micro}/system_setup.cpp": _ARDUINO,
        "src/peripherals/button_arduino.cpp": _ARDUINO,
        "src/test_over_serial/test_over_serial.cpp": _ARDUINO,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _declarations(guard: str) -> str:
    variants = "".join(
        f"TfLiteRegistration Register_{op}();\n#if defined({guard})\nTfLiteRegistration Register_{op}_INT8();\n#else\n"
        f"inline TfLiteRegistration Register_{op}_INT8() {{ return Register_{op}(); }}\n#endif\n"
        for op in VARIANTS.values()
    )
    return _KERNELS + variants + "}\n"


def _definitions() -> str:
    body = "{ static const char kernel = 0; return TfLiteRegistration{&kernel, 0, nullptr, 1}; }\n"
    names = ["PLAIN", *VARIANTS.values(), *(f"{op}_INT8" for op in VARIANTS.values())]
    functions = "".join(f"TfLiteRegistration Register_{name}() {body}" for name in names)
    return '#include "tensorflow/lite/micro/kernels/micro_ops.h"\nnamespace tflite {\n' + functions + "}\n"


def _adders(without: tuple[str, ...]) -> str:
    lines = []
    for code, name in enumerate([*VARIANTS, *METHODS]):
        op = VARIANTS.get(name)
        parameter = f"const TfLiteRegistration& registration = Register_{op}()" if op else ""
        registration = "registration" if op else "Register_PLAIN()"
        if f"Add{name}" not in without:
            lines.append(f"  TfLiteStatus Add{name}({parameter}) {{ return AddBuiltin({code}, {registration}); }}")
    return "\n".join(lines)
