// The types of what core/dom.js takes of preact.js. Ours; only `tsc` reads it.
type Setter<T> = (next: T | ((before: T) => T)) => void;

export function html(strings: TemplateStringsArray, ...values: any[]): any;
export function h(type: any, props: any, ...children: any[]): any;
export function render(what: any, where: Element): void;
export class Component<P = any, S = any> {
  props: P;
  state: S;
  setState(next: Partial<S>): void;
  forceUpdate(): void;
}
export function createContext<T>(initial: T): { Provider: any; Consumer: any };
export function useState(initial?: null | never[]): [any, Setter<any>];
export function useState<T>(initial: T | (() => T)): [T, Setter<T>];
export function useReducer(reducer: any, initial: any): [any, (action: any) => void];
export function useEffect(effect: () => void | (() => void), inputs?: any[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: any[]): void;
export function useRef<T = any>(initial?: T | null): { current: any };
export function useMemo<T>(make: () => T, inputs?: any[]): T;
export function useCallback<T>(callback: T, inputs?: any[]): T;
export function useContext(context: any): any;
export function useErrorBoundary(heard?: (error: any) => void): [any, () => void];
