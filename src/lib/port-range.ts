/** A range of ports as text: `443`, or `8000-8255`, both ends included. */
export function portsText(first: number, last: number): string {
  return first === last ? String(first) : `${String(first)}-${String(last)}`;
}

/** Every port from `first` to `last`, both included. */
export function portsFrom(first: number, last: number): number[] {
  const ports: number[] = [];
  for (let port = first; port <= last; port += 1) ports.push(port);
  return ports;
}
