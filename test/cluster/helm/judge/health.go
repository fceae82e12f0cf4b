package main

import (
	"encoding/json"
	"fmt"
	"io"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type request struct {
	Lua     string                      `json:"lua"`
	Objects []unstructured.Unstructured `json:"objects"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdict struct {
	Lua     health `json:"lua"`
	Kstatus health `json:"kstatus"`
}

// judgeHealth tells what a Lua script of Argo CD (`lua`) and what kstatus, which Flux uses, say of each of `objects`.
func judgeHealth(input io.Reader, output io.Writer) error {
	var asked request
	if err := json.NewDecoder(input).Decode(&asked); err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		byLua, err := luaHealth(asked.Lua, object.Object)
		if err != nil {
			return err
		}
		byKstatus, err := status.Compute(&object)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, verdict{byLua, health{string(byKstatus.Status), byKstatus.Message}})
	}
	return json.NewEncoder(output).Encode(verdicts)
}

// luaHealth runs script as Argo CD does: the object in the global obj, a table with status and message returned, and of
// Lua's libraries only those that Argo CD opens.
func luaHealth(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName:   lua.OpenPackage,
		lua.BaseLibName:   lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return health{}, err
		}
	}
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return health{lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message"))}, nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		table := state.NewTable()
		for _, inner := range typed {
			table.Append(luaValue(state, inner))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, inner := range typed {
			table.RawSetString(key, luaValue(state, inner))
		}
		return table
	default:
		return lua.LNil
	}
}
